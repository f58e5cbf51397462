package main

// tokenMutations are the checks of package token.
var tokenMutations = []mutation{
	{
		"token: one Authorization value", "interceptor/token/bearer.go",
		`	case len(values) > 1:
		return "", malformed("%d Authorization values", len(values))
`,
		"",
	},
	{"token: size of Authorization", "interceptor/token/bearer.go", "case len(values[0]) > len(scheme)+1+maxBytes:", "case false:"},
	{"token: scheme", "interceptor/token/bearer.go", "if name != scheme && !strings.EqualFold(name, scheme) {", `if name == "Basic" {`},
	{
		"token: b64token", "interceptor/token/bearer.go",
		`	if err := checkB64Token(raw); err != nil {
		return "", err
	}
`,
		"",
	},
	{"token: b64token, padding at the end only", "interceptor/token/bearer.go", `0123456789-._~+/"`, `0123456789-._~+/="`},
	{"token: size", "interceptor/token/verify.go", "if len(raw) > maxBytes {", "if false {"},
	{
		"token: segments", "interceptor/internal/jose/jws.go",
		`	default:
		return JWS{}, fmt.Errorf("it has %d segments, and a JWT has 3: the client must send the whole token, unchanged", dots+1)
	}
	lastDot := strings.LastIndexByte(raw, '.')
	header64, payload64, _ := strings.Cut(raw[:lastDot], ".")
`,
		`	}
	lastDot := strings.LastIndexByte(raw, '.')
	header64, payload64, _ := strings.Cut(raw[:lastDot], ".")
	payload64, _, _ = strings.Cut(payload64, ".")
`,
	},
	{"token: empty segment", "interceptor/internal/jose/jws.go", `if segment == "" {`, "if false {"},
	{"token: line breaks in base64url", "interceptor/internal/jose/jws.go", "if err != nil || n != strictBase64.DecodedLen(len(part)) {", "if err != nil {"},
	{"token: line breaks in a signature", "interceptor/internal/jose/jws.go", "if err != nil || len(data) != strictBase64.DecodedLen(len(segment)) {", "if err != nil {"},
	{"token: signature empty", "interceptor/internal/jose/jws.go", `if token.Payload == "" || len(token.Signature) == 0 {`, "if false {"},
	{"token: typ length", "interceptor/internal/jose/jws.go", "case len(t.Type) > maxType:", "case false:"},
	{"token: unused bits of base64url", "interceptor/internal/jose/jws.go", "base64.RawURLEncoding.Strict()", "base64.RawURLEncoding"},
	{"token: header crit", "interceptor/internal/jose/jws.go", `[]string{"crit", "b64", "zip", "cty"}`, `[]string{"b64", "zip", "cty"}`},
	{"token: header b64", "interceptor/internal/jose/jws.go", `[]string{"crit", "b64", "zip", "cty"}`, `[]string{"crit", "zip", "cty"}`},
	{"token: header zip", "interceptor/internal/jose/jws.go", `[]string{"crit", "b64", "zip", "cty"}`, `[]string{"crit", "b64", "cty"}`},
	{"token: header cty", "interceptor/internal/jose/jws.go", `[]string{"crit", "b64", "zip", "cty"}`, `[]string{"crit", "b64", "zip"}`},
	{"token: alg missing", "interceptor/internal/jose/jws.go", `return ValueError("header has no alg")`, `t.Algorithm = "ES256"`},
	{
		"token: alg type", "interceptor/internal/jose/jws.go",
		`header.Text("alg"); err != nil {
		return err
`,
		`header.Text("alg"); err != nil {
		t.Algorithm, ok = "ES256", true
`,
	},
	{"token: alg unsupported", "interceptor/internal/jose/jws.go", `return ValueError("alg is not supported")`, `t.Algorithm = "ES256"`},
	{
		"token: typ type", "interceptor/internal/jose/jws.go",
		`	case err != nil:
		t.TypeFault = "its typ is not a string"
`,
		`	case err != nil:
		t.Type = "at+jwt"
`,
	},
	{
		"token: kid type", "interceptor/internal/jose/jws.go",
		`header.Text("kid"); err != nil {
		return err
	} else if`,
		`header.Text("kid"); err != nil {
		return nil
	} else if`,
	},
	{"token: kid empty", "interceptor/internal/jose/jws.go", `ok && (t.KeyID == "" || len(t.KeyID) > maxKeyID)`, "ok && len(t.KeyID) > maxKeyID"},
	{"token: kid length", "interceptor/internal/jose/jws.go", `ok && (t.KeyID == "" || len(t.KeyID) > maxKeyID)`, `ok && t.KeyID == ""`},
	{"token: key fits alg when used", "interceptor/internal/jose/jws.go", "return algorithm.fits(public) && algorithm", "return algorithm"},
	{"token: signature", "interceptor/internal/jose/jws.go", "&& algorithm.method.Verify(t.Signed, t.Signature, public) == nil", "&& (algorithm.method.Verify(t.Signed, t.Signature, public) == nil || true)"},
	{"token: PSS salt", "interceptor/internal/jose/algorithm.go", "rsa.PSSSaltLengthEqualsHash", "rsa.PSSSaltLengthAuto"},
	{"token: RSA key for an RSA alg", "interceptor/internal/jose/algorithm.go", `return a.kty == "RSA"`, "return true"},
	{"token: EC key for an EC alg", "interceptor/internal/jose/algorithm.go", `return a.kty == "EC" && public.Curve == a.curve`, `return a.kty != "EC" || public.Curve == a.curve`},
	{"token: EC key of alg's curve", "interceptor/internal/jose/algorithm.go", "public.Curve == a.curve", "public.Curve != nil"},
	{"token: Ed25519 key for EdDSA", "interceptor/internal/jose/algorithm.go", `return a.kty == "OKP"`, "return true"},
	{"token: UTF-8", "interceptor/internal/jose/string.go", "			if size == 1 {", "			if text[n] < ' ' {"},
	{"token: control characters in strings", "interceptor/internal/jose/string.go", "			if size == 1 {", "			if text[n] > ' ' && size == 1 {"},
	{"token: JSON object", "interceptor/internal/jose/scan.go", "peek(s.text, at) != '{' {", "peek(s.text, at) != '{' && peek(s.text, at) != '[' {"},
	{"token: JSON, trailing", "interceptor/internal/jose/scan.go", "if space(s.text, at+1) < len(s.text) {", "if false {"},
	{"token: JSON, comma", "interceptor/internal/jose/scan.go", "if peek(s.text, at) != ',' {", "if peek(s.text, at) == 0 {"},
	{"token: JSON, leading zero", "interceptor/internal/jose/scan.go", " || text[integer] == '0' && end > integer+1 {", " {"},
	{"token: JSON, fraction", "interceptor/internal/jose/scan.go", "end == fraction {", "false {"},
	{"token: JSON, exponent", "interceptor/internal/jose/scan.go", "end == exponent {", "false {"},
	{"token: name twice", "interceptor/internal/jose/duplicates.go", "escaped, hash); *slot != 0 {", "escaped, hash); false {"},
	{"token: name twice, nested", "interceptor/internal/jose/scan.go", "if !s.deep && object.object != outermost {", "if object.object != outermost {"},
	{"token: name twice, in another object", "interceptor/internal/jose/duplicates.go", "if n.hash != hash || n.object != object {", "if n.hash != hash {"},
	{"token: name twice, escaped", "interceptor/internal/jose/duplicates.go", "case escaped || int(", "case int("},
	{"token: hash of another name", "interceptor/internal/jose/duplicates.go", "if unescaped(n.name.of(text)) == key {", "if len(key) > 0 {"},
	{"token: a table of another token", "interceptor/internal/jose/duplicates.go", "	clear(t.slots)\n", ""},
	{"token: half of a surrogate pair", "interceptor/internal/jose/string.go", "return 0, errSurrogate", "return sizeOfUnit, nil"},
	{"token: depth", "interceptor/internal/jose/scan.go", "if s.deep && len(stack) > maxDepth {", "if false {"},
	{"token: depth of a key set", "interceptor/internal/jose/scan.go", "if len(stack) == maxShallowDepth {", "if false {"},
	{"token: a member that nobody asked for", "interceptor/internal/jose/json.go", "	if o.partial {", "	if false {"},
	{"token: string is not null", "interceptor/internal/jose/json.go", `if raw[0] != '"' {`, `if raw[0] != '"' && raw != "null" {`},
	{"token: string is a string", "interceptor/internal/jose/json.go", `return "", true, ValueError(name + " is not a string")`, `return "", false, nil`},
	{"token: array of strings is not null", "interceptor/internal/jose/json.go", "if raw[0] != '[' || json.Unmarshal([]byte(raw), &elements) != nil {", "if json.Unmarshal([]byte(raw), &elements) != nil {"},
	{"token: array of strings is of strings", "interceptor/internal/jose/json.go", `return nil, false, true, ValueError(name + " is neither a string nor an array of strings")`, "return nil, false, false, nil"},
	{"token: array of strings holds no null", "interceptor/internal/jose/json.go", `return nil, true, true, ValueError(name + " has an element that is not a string")`, "continue"},
	{"token: date type", "interceptor/token/validity.go", `if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {`, "if false {"},
	{"token: date below zero", "interceptor/token/validity.go", "} else if negative {", "} else if negative && false {"},
	{"token: date above range", "interceptor/token/validity.go", "d.seconds < maxDate || d == date{seconds: maxDate}", "true"},
	{"token: date above range by a fraction", "interceptor/token/validity.go", "|| d == date{seconds: maxDate}", "|| d.seconds == maxDate"},
	{"token: date with a rest", "interceptor/token/validity.go", "if d.nanoseconds > 0 || d.rest {", "if d.nanoseconds > 0 {"},
	{"token: exp missing", "interceptor/token/validity.go", `return validity{}, invalid("exp is missing")`, "expires.seconds = maxDate"},
	{"token: exp", "interceptor/token/validity.go", "case !now.Before(v.until):", "case false:"},
	{"token: exp at the edge", "interceptor/token/validity.go", "!now.Before(v.until)", "now.After(v.until)"},
	{"token: exp with leeway once", "interceptor/token/validity.go", "expires.floor().Add(leeway)", "expires.floor().Add(2*leeway)"},
	{"token: exp rounded down", "interceptor/token/validity.go", "expires.floor()", "expires.ceil()"},
	{"token: nbf", "interceptor/token/validity.go", "case now.Before(v.from):", "case false:"},
	{"token: nbf with leeway once", "interceptor/token/validity.go", "Add(-leeway)", "Add(-2*leeway)"},
	{"token: nbf rounded up", "interceptor/token/validity.go", "notBefore.ceil()", "notBefore.floor()"},
	{
		"token: nbf type and range", "interceptor/token/validity.go",
		`readDate(p, "nbf")
	if err != nil {
		return validity{}, err
	} else if ok {`,
		`readDate(p, "nbf")
	if err == nil && ok {`,
	},
	{"token: iat type and range", "interceptor/token/validity.go", "	case err != nil:\n		return validity{}, err\n", ""},
	{"token: iat ahead", "interceptor/token/validity.go", "case now.Before(v.issued):", "case false:"},
	{"token: iat rounded up", "interceptor/token/validity.go", "issued.ceil()", "issued.floor()"},
	{"token: iat ahead by 10 s at least", "interceptor/token/validity.go", "max(leeway, minAhead)", "leeway"},
	{"token: iat ahead by 60 s at most", "interceptor/token/validity.go", "min(max(leeway, minAhead), maxAhead)", "max(leeway, minAhead)"},
	{"token: lifetime", "interceptor/token/validity.go", "if i.MaxLifetime > 0 && expires.exceeds(issued, i.MaxLifetime) {", "if false {"},
	{"token: lifetime without iat", "interceptor/token/validity.go", "	case i.MaxLifetime > 0:", "	case false:"},
	{"token: lifetime longer by a rest", "interceptor/token/validity.go", "apart == by && d.rest", "false"},
	{"issuer: MaxLifetime", "interceptor/token/issuer.go", "if i.MaxLifetime != 0 && i.MaxLifetime < time.Second {", "if i.MaxLifetime < 0 {"},
	{
		"token: iss", "interceptor/token/verify.go",
		`	switch {
	case !ok:
		return unverified{}, cmp.Or(v.errIssuer, ErrInvalid)
`,
		`	if !ok {
		issuer = v.issuers[cmp.Or(v.names[0], "")]
	}
	switch {
`,
	},
	{
		"token: iss type", "interceptor/token/verify.go",
		`payload.Text("iss")
	if err != nil {
		return unverified{}, refused(err)
	}`,
		`payload.Text("iss")
	if err != nil {
		name = v.names[0]
	}`,
	},
	{"token: typ", "interceptor/token/verify.go", `case token.TypeFault != "" || !slices.Contains(issuer.Types, jose.CanonicalType(token.Type)):`, "case false:"},
	{"token: alg not allowed", "interceptor/token/verify.go", "case !slices.Contains(issuer.algorithms, token.Algorithm):", "case false:"},
	{"token: times are checked", "interceptor/token/verify.go", "if err := token.validity.check(asked, v.leeway, false); err != nil {", "if false {"},
	{"token: times are checked without a signature", "interceptor/token/unverified.go", "if err := token.validity.check(time.Now(), v.leeway, true); err != nil {", "if err := token.validity.check(time.Now(), v.leeway, true); err != nil && false {"},
	{"token: an amount that nobody has signed", "interceptor/token/verify.go", "token.validity.check(asked, v.leeway, false)", "token.validity.check(asked, v.leeway, true)"},
	{"token: an amount that somebody else has signed", "interceptor/token/validity.go", "if token.SignedBy(key.Public) {", "if token.SignedBy(key.Public) || true {"},
	{"token: refusals that are explained", "interceptor/token/validity.go", "if !v.explained.allow(now) {", "if false {"},
	{"token: an explanation waits for nobody", "interceptor/token/validity.go", "!v.limit.try()", "!func() bool { v.limit.slots <- struct{}{}; return true }()"},
	{"token: an explanation waits for no keys", "interceptor/token/validity.go", "set, _, _ := token.issuer.keys.refresh(now, keyName{})", "set, f, _ := token.issuer.keys.refresh(now, keyName{})\n	if f != nil {\n		<-f.done\n	}"},
	{"token: an explanation draws no fetch", "interceptor/token/validity.go", "	set, _, _ := token.issuer.keys.refresh(now, keyName{})", "	token.issuer.keys.draw(name)\n	set, _, _ := token.issuer.keys.refresh(now, keyName{})"},
	{"token: signature is checked", "interceptor/token/verify.go", "good := token.SignedBy(key.Public)", "good := token.SignedBy(key.Public) || true"},
	{
		"token: keys of the token's own issuer", "interceptor/token/verifier.go",
		`		keys.keys = &source{issuer: &keys.Issuer, transport: o.transport, observer: o.observer}
`,
		`		keys.keys = &source{issuer: &keys.Issuer, transport: o.transport, observer: o.observer}
		if first := v.issuers[o.issuers[0].URL]; first != nil {
			keys.keys = first.keys
		}
`,
	},
	{"token: issuer twice", "interceptor/token/verifier.go", "if v.issuers[issuer.URL] != nil && ", "if false && "},
	{"token: leeway below zero", "interceptor/token/verifier.go", "leeway < 0 || leeway > maxLeeway", "leeway > maxLeeway"},
	{"token: leeway too wide", "interceptor/token/verifier.go", "leeway < 0 || leeway > maxLeeway", "leeway < 0"},
	{"token: transport nil", "interceptor/token/verifier.go", "if transport == nil {", "if false {"},
	{"token: option nil", "interceptor/token/verifier.go", `o.faults = append(o.faults, errors.New("token: an option is nil"))`, "_ = 0"},
	{"token: faults of issuers", "interceptor/token/verifier.go", "o.faults = append(o.faults, faults...)", "_ = faults"},
	{"token: no verifier with faults", "interceptor/token/verifier.go", "if len(o.faults) > 0 {", "if false {"},
	{"issuer: query", "interceptor/token/issuer.go", `} else if strings.Contains(i.URL, "?") {`, "} else if false {"},
	{"issuer: URL of the metadata", "interceptor/token/issuer.go", "} else if strings.HasSuffix(i.URL, discoveryPath) {", "} else if false {"},
	{"issuer: no algorithms", "interceptor/token/issuer.go", "if len(i.Algorithms) == 0 {", "if false {"},
	{"issuer: unsupported algorithms", "interceptor/token/issuer.go", "if !slices.Contains(jose.Algorithms(), name) {", "if false {"},
	{"issuer: ClientSubject", "interceptor/token/issuer.go", `if i.ClientSubject != "" && strings.Count(i.ClientSubject, clientPlaceholder) != 1 {`, "if false {"},
	{"issuer: empty names", "interceptor/token/issuer.go", `if slices.ContainsFunc(names, endpoint.IsBlank) {`, "if false {"},
	{"issuer: default type", "interceptor/token/issuer.go", `list("Types", i.Types, "at+jwt")`, `list("Types", i.Types, "")`},
	{
		"issuer: types fold ASCII letters alone", "interceptor/internal/jose/jws.go",
		`strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, typ)`,
		"strings.ToLower(typ)",
	},
	{"issuer: copied algorithms", "interceptor/token/issuer.go", "i.Algorithms = slices.Clone(i.Algorithms)", "i.Algorithms = i.Algorithms[:]"},
	{"endpoint: URL without a scheme", "interceptor/internal/endpoint/url.go", `case !strings.Contains(raw, "://"):`, "case false:"},
	{
		"endpoint: URL unreadable", "interceptor/internal/endpoint/url.go",
		"case err != nil:",
		`case err != nil && strings.HasPrefix(raw, "https://"):
		return nil
	case err != nil:`,
	},
	{"endpoint: URL without a host", "interceptor/internal/endpoint/url.go", `case u.Hostname() == "" || u.Opaque != "" || strings.HasSuffix(u.Host, ":"):`, "case false:"},
	{"endpoint: URL with user or fragment", "interceptor/internal/endpoint/url.go", "case u.User != nil || strings.ContainsRune(raw, '#'):", "case false:"},
	{"endpoint: URL over plain http", "interceptor/internal/endpoint/url.go", `case u.Scheme == "http" && !IsLoopback(u.Hostname()):`, "case false:"},
	{"endpoint: URL of another scheme", "interceptor/internal/endpoint/url.go", `case !strings.HasPrefix(raw, "https://") && !strings.HasPrefix(raw, "http://"):`, "case false:"},
	{"endpoint: URL with white space", "interceptor/internal/endpoint/url.go", "case strings.ContainsFunc(raw, unicode.IsSpace):", "case false:"},
	{"endpoint: URL whose host begins with a dot", "interceptor/internal/endpoint/url.go", `case strings.HasPrefix(u.Host, "."):`, "case false:"},
	{"endpoint: path that becomes the host", "interceptor/internal/endpoint/url.go", `err != nil || u.Hostname() == "" {`, "err != nil || u == nil {"},
	{"endpoint: host that is taken for the path", "interceptor/internal/endpoint/url.go", "return base[:host] + trim(base[host:]) + path", "return trim(base[:host]+base[host:]) + path"},
	{"endpoint: loopback by name alone", "interceptor/internal/endpoint/url.go", `host == "localhost" || `, `strings.HasPrefix(host, "localhost") || `},
	{"issuer: key set no weaker than the issuer", "interceptor/token/issuer.go", `if strings.HasPrefix(issuer, "https:") && strings.HasPrefix(raw, "http:") {`, "if false {"},
	{"issuer: KeySetURL", "interceptor/token/issuer.go", `if i.KeySetURL != "" {`, "if false {"},
	{"keys: kid of the token", "interceptor/token/keyset.go", "found := s.byName[name]", "found := s.byName[keyName{\"\", name.algorithm}]"},
	{"keys: alg of the token", "interceptor/token/keyset.go", "found := s.byName[name]", "found := s.byName[name]\n	for other, keys := range s.byName {\n		if other.id == name.id {\n			found = keys\n		}\n	}"},
	{
		"keys: two keys for a token without kid", "interceptor/token/keyset.go",
		`	if name.id == "" && len(found) > 1 {
		return nil
	}
`,
		"",
	},
	{"keys: three of one kid", "interceptor/token/keyset.go", "case len(same) == maxCandidates:", "case false:"},
	{"keys: one key twice", "interceptor/token/keyset.go", "case slices.ContainsFunc(same, key.equal):", "case false:"},
	{"keys: none usable", "interceptor/token/keyset.go", "if len(set.keys) == 0 {", "if false {"},
	{"keys: too many", "interceptor/token/keyset.go", "case keys[maxKeys] != nil:", "case false:"},
	{"keys: members of another type", "interceptor/internal/jose/jwk.go", "text, _, err := jwk.Text(name)\n\t\tif err != nil {", "text, _, err := jwk.Text(name)\n\t\tif err != nil && false {"},
	{"keys: private", "interceptor/internal/jose/jwk.go", `[]string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"}`, `[]string{"k", "p", "q", "dp", "dq", "qi", "oth"}`},
	{"keys: symmetric", "interceptor/internal/jose/jwk.go", `[]string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"}`, `[]string{"d", "p", "q", "dp", "dq", "qi", "oth"}`},
	{"keys: private, primes", "interceptor/internal/jose/jwk.go", `[]string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"}`, `[]string{"d", "k"}`},
	{"keys: use", "interceptor/internal/jose/jwk.go", `err != nil || ok && use != "sig" {`, `err != nil || ok && use == "" {`},
	{"keys: use type", "interceptor/internal/jose/jwk.go", `err != nil || ok && use != "sig" {`, `err == nil && ok && use != "sig" {`},
	{"keys: key_ops", "interceptor/internal/jose/jwk.go", `ok && (!array || !slices.Contains(ops, "verify"))`, "ok && !array && len(ops) > 0"},
	{"keys: key_ops is an array", "interceptor/internal/jose/jwk.go", `ok && (!array || !slices.Contains(ops, "verify"))`, `ok && !slices.Contains(ops, "verify") && !array == array`},
	{"keys: kid length", "interceptor/internal/jose/jwk.go", "if len(key.ID) > maxKeyID {", "if false {"},
	{"keys: kind of key for its alg", "interceptor/token/keyset.go", `slices.Contains(own, name) && `, ``},
	{"keys: alg that the key names", "interceptor/token/keyset.go", `(key.Algorithm == "" || jose.CanonicalAlgorithm(key.Algorithm) == name) && `, ""},
	{"keys: no alg fits", "interceptor/token/keyset.go", `return "", mismatch(key, own, allowed)`, "return jose.CanonicalAlgorithm(key.Algorithm), nil"},
	{"keys: null in what a key must have", "interceptor/internal/jose/jwk.go", `return m.Value == "null" && !slices.Contains(required, m.Name)`, `return m.Value == "null"`},
	{"keys: private, of another type", "interceptor/internal/jose/jwk.go", `return m.Value == "null" && !`, `return m.Value[0] != '"' && !`},
	{"keys: several algs fit", "interceptor/token/keyset.go", `return "", fmt.Errorf("it names no alg, and %q fit it: leave only one of them in Issuer.Algorithms, or have the issuer write alg into the key", fitting)`, "return fitting[0], nil"},
	{"keys: base64url of coordinates", "interceptor/internal/jose/jwk.go", "_, err = DecodeSegment(value)", "_, _ = DecodeSegment(value)"},
	{"keys: crv type", "interceptor/internal/jose/jwk.go", `		crv, _, err := jwk.Text("crv")
		if err != nil {
			return nil, fmt.Errorf("its %w", err)
		}
`, `		crv, _, err := jwk.Text("crv")
		if err != nil {
			crv = "P-256"
		}
`},
	{"keys: RSA too short", "interceptor/internal/jose/jwk.go", "bits < minRSABits || bits", "bits"},
	{"keys: RSA too long", "interceptor/internal/jose/jwk.go", " || bits > maxRSABits", ""},
	{"keys: RSA modulus even", "interceptor/internal/jose/jwk.go", " || public.N.Bit(0) == 0", ""},
	{"keys: RSA exponent too small", "interceptor/internal/jose/jwk.go", "public.E < 3 || ", ""},
	{"keys: RSA exponent too large", "interceptor/internal/jose/jwk.go", "public.E > maxExponent || ", ""},
	{"keys: RSA exponent even", "interceptor/internal/jose/jwk.go", " || public.E%2 == 0", ""},
	{"keys: EC coordinate length", "interceptor/internal/jose/jwk.go", `if x != size || y != size {`, `if x > size || y > size {`},
	{"keys: EC point on the curve", "interceptor/internal/jose/jwk.go", "if _, err := public.ECDH(); err != nil {", "if _, err := public.ECDH(); err != nil && false {"},
	{"keys: Ed25519 length", "interceptor/internal/jose/jwk.go", "if len(public) != ed25519.PublicKeySize {", "if false {"},
	{"keys: other kinds", "interceptor/internal/jose/jwk.go", `return errors.New("its kty or crv is not supported")`, "return nil"},
	{"claims: cnf", "interceptor/token/payload.go", `if p.Has("cnf") {`, "if false {"},
	{"claims: at_hash", "interceptor/token/payload.go", `[]string{"at_hash", "c_hash"}`, `[]string{"c_hash"}`},
	{"claims: c_hash", "interceptor/token/payload.go", `[]string{"at_hash", "c_hash"}`, `[]string{"at_hash"}`},
	{
		"claims: sub type", "interceptor/token/payload.go",
		`identity(p, "sub"); err != nil {
		return nil, err
`,
		`identity(p, "sub"); err != nil {
		c.subject = "?"
`,
	},
	{"claims: sub missing or empty", "interceptor/token/payload.go", `} else if c.subject == "" {`, "} else if false {"},
	{"claims: jti type", "interceptor/token/payload.go", `if c.id, _, err = identity(p, "jti"); err != nil {`, `if c.id, _, _ = identity(p, "jti"); err != nil {`},
	{"claims: aud types", "interceptor/token/payload.go", `if c.audience, _, _, err = p.Texts("aud"); err != nil {`, `if c.audience, _, _, _ = p.Texts("aud"); err != nil {`},
	{"claims: control characters", "interceptor/token/payload.go", "if strings.ContainsFunc(value, unicode.IsControl) {", "if strings.ContainsFunc(value, unicode.IsControl) && false {"},
	{"claims: control characters in an organization of aud", "interceptor/token/payload.go", `if err := checkIdentity("an organization in aud", id); err != nil {`, "if false {"},
	{"claims: issuer without organization tokens", "interceptor/token/payload.go", `prefix != "" {`, "len(prefix) >= 0 {"},
	{"claims: organization claim type", "interceptor/token/payload.go", "id, ok, err := identity(p, i.OrganizationClaim)", "id, ok, _ := identity(p, i.OrganizationClaim)"},
	{"claims: caller without ClientSubject", "interceptor/token/payload.go", `case i.ClientSubject == "" || client == "":`, `case client == "":`},
	{"claims: caller without client", "interceptor/token/payload.go", `case i.ClientSubject == "" || client == "":`, `case i.ClientSubject == "":`},
	{"claims: client is no user", "interceptor/token/payload.go", "case subject == strings.Replace(i.ClientSubject, clientPlaceholder, client, 1):", "case false:"},
	{"claims: user is no client", "interceptor/token/payload.go", "case subject == strings.Replace(i.ClientSubject, clientPlaceholder, client, 1):", "case true:"},
	{
		"claims: scopes types", "interceptor/token/payload.go",
		`		case err != nil:
			return nil, refused(err)
`,
		`		case err != nil:
			continue
`,
	},
	{"claims: scope is no array", "interceptor/token/payload.go", `case ok && array && name == "scope":`, "case false:"},
	{"claims: first scope claim alone", "interceptor/token/payload.go", "case !ok || found:", "case !ok || found && false:"},
	{
		"claims: client types", "interceptor/token/payload.go",
		`		case err != nil:
			return "", err
`,
		`		case err != nil:
			continue
`,
	},
	{"claims: client empty", "interceptor/token/payload.go", `case value == "":`, "case false:"},
	{"claims: client mismatch", "interceptor/token/payload.go", `case client != "" && client != value:`, "case false:"},
	{"claims: aud byte for byte", "interceptor/token/claims.go", "return slices.Contains(c.get().audience, audience)", "return slices.ContainsFunc(c.get().audience, func(a string) bool { return strings.EqualFold(a, audience) })"},
	{"claims: scope byte for byte", "interceptor/token/claims.go", "return slices.Contains(set.scopes, scope)", "return slices.ContainsFunc(set.scopes, func(s string) bool { return strings.EqualFold(s, scope) })"},
	{"claims: one of many scopes", "interceptor/token/claims.go", "_, ok := slices.BinarySearch(set.sortedScopes, scope)", "n, _ := slices.BinarySearch(set.sortedScopes, scope)\n	ok := n < len(set.sortedScopes)"},
	{"claims: two organizations in aud", "interceptor/token/claims.go", "case len(audiences) > 1, claimed", "case claimed"},
	{"claims: organization of claim and aud differ", "interceptor/token/claims.go", ", claimed && len(audiences) == 1 && audiences[0] != fromClaim:", ":"},
	{"claims: aud beside an organization", "interceptor/token/claims.go", "len(set.audience) != 1 || len(set.organizationAudiences) != 1", "len(set.organizationAudiences) != 1"},
	{"claims: organization in aud empty", "interceptor/token/claims.go", ` || set.organizationAudiences[0] == ""`, ""},
	{"claims: any organization in aud", "interceptor/token/claims.go", "len(c.get().organizationAudiences) > 0", "len(c.get().organizationAudiences) > 1"},
	{"claims: names that differ in case alone", "interceptor/token/claims.go", "if _, twice := folded[name]; twice {", "if false {"},
	{"fetch: transport panics", "interceptor/token/source.go", "if recover() != nil {", "if false {"},
	{"fetch: timeout", "interceptor/token/fetch.go", "context.WithTimeout(context.Background(), endpoint.Timeout)", "context.WithTimeout(context.Background(), 720*endpoint.Timeout)"},
	{"fetch: issuer of discovery", "interceptor/token/fetch.go", "case issuer != s.issuer.URL:", "case false:"},
	{"fetch: jwks_uri is https", "interceptor/token/fetch.go", "if err := checkKeySetURL(s.issuer.URL, keySetURL); err != nil {", "if err := checkKeySetURL(s.issuer.URL, keySetURL); err != nil && false {"},
	{"endpoint: redirect", "interceptor/internal/endpoint/fetch.go", "return http.ErrUseLastResponse", "return nil"},
	{"endpoint: status", "interceptor/internal/endpoint/fetch.go", "if !slices.Contains(statuses, response.StatusCode) {", "if response.StatusCode >= http.StatusBadRequest && !slices.Contains(statuses, response.StatusCode) {"},
	{
		"endpoint: body cap", "interceptor/internal/endpoint/fetch.go",
		`io.LimitReader(response.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, response.StatusCode, requestError(transport, request, err)
	case len(body) > MaxBody:`,
		`io.LimitReader(response.Body, 2*MaxBody+1))
	switch {
	case err != nil:
		return nil, response.StatusCode, requestError(transport, request, err)
	case len(body) > 2*MaxBody:`,
	},
	{
		"endpoint: body breaks off", "interceptor/internal/endpoint/fetch.go",
		`	case err != nil:
		return nil, response.StatusCode, requestError(transport, request, err)
	case len`,
		`	case err != nil && len(body) == 0:
		return nil, response.StatusCode, requestError(transport, request, err)
	case len`,
	},
	{"endpoint: text of the error is not told", "interceptor/internal/endpoint/failure.go", `&failure{"the request failed: " + d.cause + ": " + d.remedy + proxy, d.mayPass}`, `fmt.Errorf("the request failed: %s: %s%s: %w", d.cause, d.remedy, proxy, err)`},
	{"endpoint: the proxy's password", "interceptor/internal/endpoint/failure.go", "proxy.Host, request.URL", "proxy, request.URL"},
	{"endpoint: a secret in a URL", "interceptor/internal/endpoint/url.go", `raw = "xxxxx" + raw[at:]`, "_ = 0"},
	{"endpoint: a secret in a query", "interceptor/internal/endpoint/url.go", "	case end >= 0:\n", "	case false:\n"},
	{"endpoint: a secret with a question mark", "interceptor/internal/endpoint/url.go", "case end >= 0 && end < at:", "case false:"},
	{"endpoint: a secret in the path of a redirect", "interceptor/internal/endpoint/url.go", `strings.IndexAny(path, ";?#")`, `strings.IndexAny(path, "?")`},
	{"endpoint: redirect to no URL", "interceptor/internal/endpoint/fetch.go", `response.Header.Del("Location")`, "_ = 0"},
	{"endpoint: the peer of a proxy", "interceptor/internal/endpoint/failure.go", `failed.Op, toProxy || failed.Op == "proxyconnect"`, `failed.Op, failed.Op == "proxyconnect"`},
	{"source: max stale", "interceptor/token/source.go", "if set == nil || now.Sub(set.fetched) >= maxStale {", "if set == nil {"},
	{"source: wait for keys that are too old", "interceptor/token/source.go", "age >= maxStale || age >= hardAge && !known", "age >= maxStale || age >= hardAge && !known && false"},
	{"source: wait cap", "interceptor/token/source.go", "time.NewTimer(time.Until(asked.Add(maxWait)))", "time.NewTimer(time.Until(asked.Add(time.Hour)))"},
	{
		"source: wait ends with the call", "interceptor/token/source.go",
		`	case <-ctx.Done():
	}
	return false
`,
		`	}
	return false
`,
	},
	{"source: old keys serve on while the endpoint fails", "interceptor/token/source.go", "age >= hardAge && !known", "age >= hardAge && (known || !known)"},
	{"source: no old keys for a call that has ended", "interceptor/token/source.go", "if !f.wait(ctx, now) && ctx.Err() != nil {", "if !f.wait(ctx, now) && false {"},
	{
		"source: fetch outlives the call that caused it", "interceptor/token/source.go",
		`	case <-ctx.Done():
`,
		`	case <-ctx.Done():
		close(f.done)
		f.done = make(chan struct{})
`,
	},
	{"source: budget of drawn fetches", "interceptor/token/rotation.go", "	return left >= drawCost\n", "	return true\n"},
	{"source: drawn fetches are paid", "interceptor/token/rotation.go", "b.wholeAt = b.wholeAt.Add(drawCost)", "_ = 0"},
	{"source: a change costs less", "interceptor/token/rotation.go", "b.wholeAt = b.wholeAt.Add(smallCost - drawCost)\n		return", "return"},
	{"source: a change costs something", "interceptor/token/rotation.go", "Add(smallCost - drawCost)\n		return", "Add(-drawCost)\n		return"},
	{"source: answered names", "interceptor/token/rotation.go", "if slices.Contains(b.answered, name) {", "if false {"},
	{"source: answered names leave the budget", "interceptor/token/rotation.go", "return left == drawBudget || left >= drawCost && now.Sub(b.drawnAt) >= askAgain", "return left >= drawCost"},
	{"source: answered names ask again", "interceptor/token/rotation.go", "return left == drawBudget || left >= drawCost && now.Sub(b.drawnAt) >= askAgain", "return false"},
	{"source: answered names ask again with a spent budget", "interceptor/token/rotation.go", "return left == drawBudget || left >= drawCost && now.Sub(b.drawnAt) >= askAgain", "return left == drawBudget"},
	{"source: a failing endpoint is not drawn from", "interceptor/token/rotation.go", "s.failures == 0 && s.affords", "s.affords"},
	{"source: made-up kids cost few calls' time", "interceptor/token/rotation.go", "case len(f.others) < maxOthers:", "case true:"},
	{"source: several new kids at once", "interceptor/token/rotation.go", "case len(f.others) < maxOthers:", "case false:"},
	{"source: a fetch that began before the call", "interceptor/token/rotation.go", "set.flight <= before &&", "set.flight < before &&"},
	{"source: one fetch for a call", "interceptor/token/rotation.go", "set.flight <= before && own == nil", "before+1 > 0 && own == nil"},
	{"source: an absent kid is invalid, whoever waits for it", "interceptor/token/rotation.go", "case set.flight > before, ctx.Err() != nil:", "case ctx.Err() != nil:"},
	{"source: who does not wait draws no 5xx", "interceptor/token/rotation.go", "case set.flight > before, ctx.Err() != nil:", "case set.flight > before:"},
	{"source: drawn fetches that fail have pauses", "interceptor/token/rotation.go", "if now.Before(b.pauseEnd) {", "if false {"},
	{"source: strangers make no endpoint fail", "interceptor/token/source.go", "case f.drawn: // an endpoint", "case false: // an endpoint"},
	{"source: a wrong signature waits for no other's fetch", "interceptor/token/rotation.go", "if s.flight != nil || !s.mayDraw(name) {", "if !s.mayDraw(name) {"},
	{"source: a wrong signature draws from the budget", "interceptor/token/rotation.go", "if s.flight != nil || !s.mayDraw(name) {", "if s.flight != nil {"},
	{"source: verified again only with another key", "interceptor/token/rotation.go", "return f.wait(ctx, asked) && !sameKeys(s.current.Load().find(name), tried)", "return f.wait(ctx, asked)"},
	{"token: a kid that is used again", "interceptor/token/verify.go", "if errors.Is(err, errSignature) && keys.changed(ctx, token.key, token.tried, asked) {", "if err != nil && token.tried == nil {"},
	{"token: only a wrong signature draws a fetch", "interceptor/token/verify.go", "errors.Is(err, errSignature) && keys.changed", "err != nil && keys.changed"},
	{"source: one flight", "interceptor/token/source.go", "s.flight == nil && !now.Before(s.retryAt)", "!now.Before(s.retryAt)"},
	{"source: pause after a failure", "interceptor/token/source.go", "s.flight == nil && !now.Before(s.retryAt)", "s.flight == nil"},
	{"source: pauses double", "interceptor/token/source.go", "min(minRetry<<min(s.failures, 16), maxRetry)", "minRetry"},
	{"source: pauses are capped", "interceptor/token/source.go", "min(minRetry<<min(s.failures, 16), maxRetry)", "minRetry << min(s.failures, 16)"},
	{"source: short pauses without keys", "interceptor/token/source.go", "retry = min(retry, coldRetry)", "retry = min(retry, maxRetry)"},
	{"source: a failed fetch leaves no keys", "interceptor/token/source.go", "set, err := (*keySet)(nil), errors.New(\"the HTTP transport called runtime.Goexit\")", "set, err := new(keySet), error(nil)"},
}
