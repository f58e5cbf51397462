package policy

// Only returns a table with one rule, which has one way in: the way of the rule of a procedure with the given number (see
// [Rule.Ways]). It returns an empty table if there is no such way. It is for tools: the decision by the table is the
// decision on that way alone.
func (t *Table) Only(procedure string, way int) *Table {
	only := &Table{audience: t.audience, subjectIssuer: t.subjectIssuer}
	rule, ok := t.Lookup(procedure)
	if !ok {
		return only
	}
	ways := rule.Ways()
	if way < 0 || way >= len(ways) {
		return only
	}
	rule.Way, rule.Alternatives = *ways[way], nil
	only.rules = map[string]*Rule{rule.Procedure: rule}
	return only
}
