package gitlab

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
)

func TestConformance(t *testing.T) {
	forgetest.Run(t, forge.GitLab, func(a forge.Access) (forge.Reader, error) { return New(a) })
}
