// Buf-plugin-protoauthz is a plugin of buf. "buf lint" checks the rules in .proto
// files, the options (protoauthz.v1.method) and (protoauthz.v1.service). "buf
// breaking" checks the changes of the rules.
//
// The plugin compiles the rules with package policy, as the server does when it
// starts. Each fault is reported at its line.
//
// # Configuration
//
// In buf.yaml:
//
//	lint:
//	  use:
//	    - STANDARD
//	    - PROTOAUTHZ
//	breaking:
//	  use:
//	    - FILE
//	    - PROTOAUTHZ_LOOSER
//	plugins:
//	  - plugin: buf-plugin-protoauthz
//	    options:
//	      audience: https://api.example.com
//
// A "use" must list the categories or rules that are wanted. Buf does not run the
// others, and warns only if no "use" lists a rule of the plugin. A module with its own
// "lint" or "breaking" must list them there. Without "use", buf runs PROTOAUTHZ and
// PROTOAUTHZ_LOOSER. "buf config ls-lint-rules --configured-only --module-path proto" and
// "buf config ls-breaking-rules" show which rules run.
//
// The options of the plugin, all of them optional:
//
//	audience       the resource indicator of policy.WithAudience
//	public         a list of services without annotations that anybody may call, as with policy.WithPublic
//	shared_scopes  a list of scopes, as with policy.WithSharedScopes
//	scope_pattern  a regular expression of Go that each scope must match as a whole, in place of verb:noun
//
//	unannotated_refused  a list of services, as with policy.WithUnannotatedRefused
//	unannotated_open     a list of services, as with policy.WithUnannotatedOpen
//
// Give the same options to policy.Compile in the server. An unknown or malformed option
// ends the run, whatever rules are in use.
//
// # Lint
//
// The rules of the category PROTOAUTHZ. All but the last six stand for the kinds of
// policy.Fault:
//
//	PROTOAUTHZ_RULE_MISSING             Checks that every method has a rule.
//	PROTOAUTHZ_RULE_CONFLICT            Checks that no rule contradicts itself.
//	PROTOAUTHZ_RULE_UNREADABLE          Checks that this version can read every rule.
//	PROTOAUTHZ_SCOPE_INVALID            Checks that scopes are scope-tokens of RFC 6749, each given once.
//	PROTOAUTHZ_SCOPE_SHARED             Checks that a scope serves one permission model per audience.
//	PROTOAUTHZ_MODEL_MISSING            Checks that every method has a permission model.
//	PROTOAUTHZ_AUDIENCE_MISSING         Checks that every method of an API has an audience.
//	PROTOAUTHZ_AUDIENCE_INVALID         Checks that every audience can be the audience of an API.
//	PROTOAUTHZ_ORGANIZATION_MISSING     Checks that a method of an organization model has an organization.
//	PROTOAUTHZ_ORGANIZATION_UNEXPECTED  Checks that no global method has an organization.
//	PROTOAUTHZ_ORGANIZATION_FIELD       Checks that an organization's field path leads to a string.
//	PROTOAUTHZ_ORGANIZATION_HEADER      Checks that an organization's header can carry it.
//	PROTOAUTHZ_ORGANIZATION_PATTERN     Checks that an organization's pattern is well formed.
//	PROTOAUTHZ_ORGANIZATION_OPTIONAL    Checks that no caller lacks an organization that a handler may expect.
//	PROTOAUTHZ_SUBJECT_FIELD            Checks that the field path of a subject or client leads to a string.
//	PROTOAUTHZ_SUBJECT_PATTERN          Checks that the pattern of a subject or client is well formed.
//	PROTOAUTHZ_OPTION                   Checks that the options fit the services that they name.
//	PROTOAUTHZ_SCOPE_NAMING             Checks that scopes follow the pattern of the option scope_pattern.
//	PROTOAUTHZ_PUBLIC_COMMENT           Checks that a comment gives the reason why a method is public.
//	PROTOAUTHZ_WAY_COVERED              Checks that the ways before a way do not let in all its calls.
//	PROTOAUTHZ_ORGANIZATION_PLACES      Checks that all ways in find the organization in one place.
//	PROTOAUTHZ_ORGANIZATION_REQUIRED    Checks that protovalidate refuses a request whose organization is empty.
//	PROTOAUTHZ_SUBJECT_REQUIRED         Checks that protovalidate refuses a request whose subject or client is empty.
//
// PROTOAUTHZ_UNANNOTATED belongs to no category, and is off unless "use" lists it. The rule
// lists the methods of unannotated_refused and unannotated_open that lack an annotation, so
// that nobody forgets them. A service that one of these options names, and that has no such
// method, is a finding of PROTOAUTHZ_OPTION.
//
// PROTOAUTHZ_PUBLIC_COMMENT looks for the word "public", and something behind the word,
// in the comment of a method, as in "Public: a client needs it before it has a token."
// Buf keeps comments inside of a method only at
// "option (protoauthz.v1.method).public = true;". Services of the option public need no
// comment.
//
// PROTOAUTHZ_ORGANIZATION_REQUIRED looks at the fields of organization.field in files
// that import buf/validate/validate.proto. PROTOAUTHZ_SUBJECT_REQUIRED does the same for
// subject.field and client.field. Protovalidate must refuse a message without the field:
// by "required", "string.min_len", "string.uuid" or a rule in CEL, for example. The
// messages around the field may be left out. The guard refuses an empty organization,
// subject or client in any case, but protovalidate tells the client why. A field is not a
// finding if a way in of its method does not read the field: the caller by that way need
// not set it.
//
// PROTOAUTHZ_WAY_COVERED looks at rules with alternatives. A call goes by the first way that
// lets the call in. So no call goes by "{authenticated: true, subject: ...}" behind
// "{authenticated: true}": perhaps the first way was meant to ask for more.
//
// PROTOAUTHZ_ORGANIZATION_PLACES looks at rules with several ways that have an
// organization, such as a field in one way and a header in another. A caller by the header
// may name any organization in the field. A handler that takes the organization from the
// field would serve this caller. The handler must take the organization from
// interceptor.WayFromContext. Silence the finding if the handler does so.
//
// Buf knows one line for a list in brackets: the line where the list begins. So a finding
// in "alternatives: [{...}, {...}]" stands there, and its text names the alternative by
// number: "way 1" is the first. Write "alternatives: {...}" for each alternative to have a
// finding at the line of the alternative.
//
// A comment at the method or the service silences a finding. For
// PROTOAUTHZ_ORGANIZATION_REQUIRED and PROTOAUTHZ_SUBJECT_REQUIRED, the comment stands at
// the field or the message:
//
//	// buf:lint:ignore PROTOAUTHZ_SCOPE_NAMING
//
// "buf lint --error-format json" names the rule of each finding.
//
// # Breaking
//
// The rules of the category PROTOAUTHZ_LOOSER. A call that was refused may be
// let in:
//
//	PROTOAUTHZ_MADE_PUBLIC              Checks that no method stops asking for a token.
//	PROTOAUTHZ_MADE_AUTHENTICATED       Checks that no method stops asking for scopes.
//	PROTOAUTHZ_SCOPE_REMOVED            Checks that no scope stops being required.
//	PROTOAUTHZ_ANY_SCOPE_ADDED          Checks that no further scope becomes enough.
//	PROTOAUTHZ_MODEL_CHANGED            Checks that no method takes tokens of another permission model.
//	PROTOAUTHZ_AUDIENCE_CHANGED         Checks that no method takes tokens of another audience.
//	PROTOAUTHZ_ORGANIZATION_LOOSENED    Checks that an organization is still checked where it was.
//	PROTOAUTHZ_CALLER_LOOSENED          Checks that no further kind of caller is let in.
//	PROTOAUTHZ_SUBJECT_LOOSENED         Checks that a user is still checked where it was.
//	PROTOAUTHZ_CLIENT_LOOSENED          Checks that a client is still checked where it was.
//	PROTOAUTHZ_ALTERNATIVE_ADDED        Checks that no further way in is added.
//	PROTOAUTHZ_RULE_LOST                Checks that no method loses its rule, or has one that cannot be compared.
//
// The rules of the category PROTOAUTHZ_TIGHTER, which are off unless "use" lists them. A
// call that was let in may be refused:
//
//	PROTOAUTHZ_PUBLIC_DROPPED           Checks that no method starts asking for a token.
//	PROTOAUTHZ_SCOPE_ADDED              Checks that no further scope becomes required.
//	PROTOAUTHZ_ANY_SCOPE_REMOVED        Checks that no scope stops being enough.
//	PROTOAUTHZ_ORGANIZATION_TIGHTENED   Checks that an organization is checked in no further place.
//	PROTOAUTHZ_CALLER_TIGHTENED         Checks that no kind of caller is locked out.
//	PROTOAUTHZ_SUBJECT_TIGHTENED        Checks that a user is checked in no further place.
//	PROTOAUTHZ_CLIENT_TIGHTENED         Checks that a client is checked in no further place.
//	PROTOAUTHZ_ALTERNATIVE_REMOVED      Checks that no way in is removed.
//
// No comment silences a finding of "buf breaking". An intended change passes with
// "ignore_only" in buf.yaml until it is merged:
//
//	breaking:
//	  ignore_only:
//	    PROTOAUTHZ_MADE_PUBLIC:
//	      - proto/order/v1/order.proto
//
// A method that was deleted is a finding of buf's rule RPC_NO_DELETE, in buf's
// categories FILE and PACKAGE. List one of these categories too, or buf does not see
// that a service was renamed.
//
// A method that had no rule before, or a rule that did not compile, is not compared, so
// that the annotations can be adopted one by one. There are three exceptions. A rule that
// lacks only an audience, perhaps because buf.yaml has none any more, is compared. A rule
// that could not be read is a finding of PROTOAUTHZ_RULE_LOST. A method without annotation
// that becomes public is a finding of PROTOAUTHZ_MADE_PUBLIC if unannotated_refused names
// its service, or if other methods of the service were annotated and unannotated_open does
// not name the service: the server refused the method.
//
// # Limits
//
// Buf shows the plugin one module at a time, and with --path only the named files. So the
// plugin does not find a scope that is shared with another module or file, while
// policy.Compile in the server does. A method that moves to another module is not
// compared.
//
// The plugin takes the options in buf.yaml to hold for both versions. So "buf breaking"
// does not see a service that is added to "public", unless the service carried annotations
// before, nor another "audience". It sees a method that has lost its annotation, whatever
// unannotated_refused and unannotated_open make of the method: as PROTOAUTHZ_RULE_LOST if
// it is refused, and as PROTOAUTHZ_MADE_PUBLIC if it is open. It does not see a service that
// moves from unannotated_refused to unannotated_open. A service of these options that the
// module does not declare has no effect: it may belong to another module. If an audience
// moves from buf.yaml into the annotations, its change is not seen: the rest of the rule is
// compared.
package main

import "buf.build/go/bufplugin/check"

func main() { check.Main(Spec()) }
