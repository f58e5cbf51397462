package e2e_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
