package main

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes sure that no goroutine outlives the tests. A goroutine that is about to end has time for it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{m}) }

type patient struct{ *testing.M }

func (p patient) Run() int {
	status := p.M.Run()
	for range 240 { // each look takes half a second
		if goleak.Find() == nil {
			break
		}
	}
	return status
}
