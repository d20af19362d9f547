package site

// ReferenceExamples are the examples of the reference, by the block that they show.
func ReferenceExamples() map[string]string {
	out := map[string]string{}
	for _, c := range constructs() {
		out[c.Name] = c.Example
	}
	return out
}
