// Package leaks gives goroutines time to end after a package's tests, on a busy machine.
package leaks

import "go.uber.org/goleak"

// looks is how often leftover goroutines are looked for. A look takes half a second.
const looks = 240

// Patient runs tests, and waits up to two minutes for goroutines that are about to end. Package goleak finds the
// others:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }
func Patient(m goleak.TestingM) goleak.TestingM { return patient{m} }

type patient struct{ goleak.TestingM }

func (p patient) Run() int {
	status := p.TestingM.Run()
	for range looks {
		if goleak.Find() == nil {
			break
		}
	}
	return status
}
