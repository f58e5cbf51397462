// Buf-plugin-protoauthz is a plugin of buf that checks the rules in .proto
// files, (protoauthz.v1.method) and (protoauthz.v1.service), in "buf lint", and
// what changes them, in "buf breaking".
//
// It compiles the rules with the package policy, as the server does when it
// starts: what passes here compiles there, and what does not is reported at its
// line.
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
// Where "use" is given it must list the categories, or the rules that are wanted:
// buf runs nothing else, and says so only if neither list has anything of the
// plugin. A module with a "lint" or "breaking" of its own must list them there.
// Without "use", buf runs PROTOAUTHZ and PROTOAUTHZ_LOOSER. What runs is shown by
// "buf config ls-lint-rules --configured-only --module-path proto", and
// ls-breaking-rules.
//
// The options, each of which may be left out:
//
//	audience       the resource indicator of policy.WithAudience
//	public         a list of services without annotations that anybody may call, as with policy.WithPublic
//	shared_scopes  a list of scopes, as with policy.WithSharedScopes
//	scope_pattern  a regular expression of Go that each scope must match as a whole, in place of verb:noun
//
// The server must be given the same options. An option that is unknown, of
// another type or malformed ends the run, whatever rules are in use.
//
// # Lint
//
// The rules of the category PROTOAUTHZ. All but the last three are the kinds of
// policy.Fault:
//
//	PROTOAUTHZ_RULE_MISSING             Checks that every method has a rule.
//	PROTOAUTHZ_RULE_CONFLICT            Checks that no rule contradicts itself.
//	PROTOAUTHZ_RULE_UNREADABLE          Checks that every rule is one that this version understands.
//	PROTOAUTHZ_SCOPE_INVALID            Checks that scopes are scope-tokens of RFC 6749, each given once.
//	PROTOAUTHZ_SCOPE_SHARED             Checks that a scope serves one permission model per audience.
//	PROTOAUTHZ_MODEL_MISSING            Checks that every method has a permission model.
//	PROTOAUTHZ_AUDIENCE_MISSING         Checks that every method of an API has an audience.
//	PROTOAUTHZ_AUDIENCE_INVALID         Checks that audiences can be those of an API.
//	PROTOAUTHZ_ORGANIZATION_MISSING     Checks that a method of an organization says where its requests name it.
//	PROTOAUTHZ_ORGANIZATION_UNEXPECTED  Checks that no global method names an organization.
//	PROTOAUTHZ_ORGANIZATION_FIELD       Checks that an organization's field path leads to a string.
//	PROTOAUTHZ_ORGANIZATION_HEADER      Checks that an organization's header can carry it.
//	PROTOAUTHZ_ORGANIZATION_PATTERN     Checks that an organization's pattern is well formed.
//	PROTOAUTHZ_OPTION                   Checks that no service is both annotated and opened by the option public.
//	PROTOAUTHZ_SCOPE_NAMING             Checks that scopes follow the pattern of the option scope_pattern.
//	PROTOAUTHZ_PUBLIC_COMMENT           Checks that a comment says why a method is public.
//	PROTOAUTHZ_ORGANIZATION_REQUIRED    Checks that protovalidate refuses a request whose organization is empty.
//
// A method counts as explained by PROTOAUTHZ_PUBLIC_COMMENT if its comment has the
// word "public" and something behind it, as in "Public: a client needs it before
// it has a token." (Of comments inside of a method, buf keeps only those at
// "option (protoauthz.v1.method).public = true;".) Services of the option public
// need none.
//
// PROTOAUTHZ_ORGANIZATION_REQUIRED looks at the fields that organization.field
// names, in files that import buf/validate/validate.proto, and has protovalidate
// judge a message without the field: "required", "string.min_len", "string.uuid"
// and rules in CEL are all good. It asks nothing of the messages around it. The
// guard refuses an empty organization in any case; this makes the reason plain.
//
// A finding is silenced by a comment at the method or at the service, one of
// PROTOAUTHZ_ORGANIZATION_REQUIRED at the field or at the message:
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
//	PROTOAUTHZ_ALTERNATIVE_ADDED        Checks that no further scope becomes enough.
//	PROTOAUTHZ_MODEL_CHANGED            Checks that no method takes tokens of another permission model.
//	PROTOAUTHZ_AUDIENCE_CHANGED         Checks that no method takes tokens of another audience.
//	PROTOAUTHZ_ORGANIZATION_LOOSENED    Checks that an organization is still checked where it was.
//	PROTOAUTHZ_CALLER_LOOSENED          Checks that no further kind of caller is let in.
//	PROTOAUTHZ_RULE_LOST                Checks that no method loses its rule, or has one that cannot be compared.
//
// The rules of the category PROTOAUTHZ_TIGHTER, which are off unless "use" lists them. A
// call that was let in may be refused:
//
//	PROTOAUTHZ_PUBLIC_DROPPED           Checks that no method starts asking for a token.
//	PROTOAUTHZ_SCOPE_ADDED              Checks that no further scope becomes required.
//	PROTOAUTHZ_ALTERNATIVE_REMOVED      Checks that no scope stops being enough.
//	PROTOAUTHZ_ORGANIZATION_TIGHTENED   Checks that an organization is checked in no further place.
//	PROTOAUTHZ_CALLER_TIGHTENED         Checks that no kind of caller is locked out.
//
// No comment silences these. A change that is meant passes with "ignore_only" in
// buf.yaml until it is merged:
//
//	breaking:
//	  ignore_only:
//	    PROTOAUTHZ_MADE_PUBLIC:
//	      - proto/order/v1/order.proto
//
// Methods that are gone are for the rule RPC_NO_DELETE of buf, of its categories FILE
// and PACKAGE: list one of them too, or a renamed service is no change. Methods that
// had no rule before, or one that does not compile, are compared with nothing: so the
// annotations can be adopted one by one. (A rule that lacks no more than an audience,
// since buf.yaml names none now, is compared. One that could not be read is
// PROTOAUTHZ_RULE_LOST.)
//
// # Limits
//
// Buf shows the plugin one module at a time, and with --path no more than the
// files it names: a scope that is shared with a module or a file beyond is not
// found, as policy.Compile finds it in the server, and a method that moves to
// another module is compared with nothing. What the options in buf.yaml say now
// is taken to have held before: a service that is added to "public", or another
// "audience", is no change that "buf breaking" sees, unless the service carried
// annotations before. An audience that moves from buf.yaml into the annotations may
// become another one unseen: the rest of the rule is compared.
package main

import "buf.build/go/bufplugin/check"

func main() { check.Main(Spec()) }
