// Package leaks gives goroutines time to end after a package's tests, on a machine whose
// processors are all busy.
package leaks

import "go.uber.org/goleak"

// looks is how often goroutines that are left over are looked for. Package goleak takes half a
// second for each look.
const looks = 240

// Patient runs tests, and then waits for the goroutines that are about to end. Package goleak looks
// for the rest:
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
