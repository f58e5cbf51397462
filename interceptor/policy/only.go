package policy

// Only returns a table with one rule of one way: the way with the given number (see [Rule.Ways]) of the rule of a
// procedure. Without such a way, the table is empty. Only is for tools: a guard with the table decides by that way
// alone.
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
