package tokens

// Must returns a value that a test cannot do without.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// As returns a value as the type that a test knows it to be of.
func As[T any](value any) T {
	typed, ok := value.(T)
	if !ok {
		panic("tokens: another type")
	}
	return typed
}
