package tokens

// Must returns a value, or panics for an error.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// As returns a value of a type, or panics if the value has another type.
func As[T any](value any) T {
	typed, ok := value.(T)
	if !ok {
		panic("tokens: the value has another type")
	}
	return typed
}
