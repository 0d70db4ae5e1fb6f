package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/cli"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == cli.RenderWorker {
		main() // the test binary is the program that renders are started from
	}
	testscript.Main(m, map[string]func(){"fairway": main})
}

// TestScripts plays the command line as it stands in testdata/script, each script in a story.Shop of
// its own in $WORK. Beside testscript's own commands the scripts have:
//
//	branch NAME WHO TAG   a signed commit on top of main, on a branch; $HEAD is its id
//	land WHO TAG          the same, merged into main; $MERGE and $HEAD are the ids
//	push WHO TAG          a signed commit on main itself; $HEAD is its id
//	slip WHO TAG          the same, unsigned
//	exits CODE COMMAND…   run it and hold its exit code; as after exec, stdout and stderr can be looked at
//	fetch                 bring the clone up to date, approvals too
//
// TAG is the image's of the web Deployment. $URL is the repository's, $BASE its baseline.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			shop, err := story.NewShop(context.Background(), env.WorkDir)
			if err != nil {
				return err
			}
			base, err := shop.Tip(context.Background())
			env.Values[shopKey{}] = shop
			for name, value := range map[string]string{
				"HOME": env.WorkDir, "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
				"URL": shop.Repo.URL(), "BASE": base, "SHOP": story.ShopUID,
			} {
				env.Setenv(name, value)
			}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"branch": func(ts *testscript.TestScript, _ bool, args []string) {
				head, err := shopOf(ts).Branch(context.Background(), args[0], args[1], message, deploy(args[2]))
				ts.Check(err)
				ts.Setenv("HEAD", head)
			},
			"land": func(ts *testscript.TestScript, _ bool, args []string) {
				merge, head, err := shopOf(ts).Land(context.Background(), args[0], message, deploy(args[1]))
				ts.Check(err)
				ts.Setenv("MERGE", merge)
				ts.Setenv("HEAD", head)
			},
			"push":  push(true),
			"slip":  push(false),
			"fetch": fetch,
			"exits": exits,
		},
	})
}

// shopKey is the key of the shop among a script's values.
type shopKey struct{}

// message is that of every commit of the scripts.
const message = "Change the shop\n\nTicket: SHOP-9"

func deploy(tag string) map[string]string {
	return map[string]string{story.WebPath: story.Web(2, "", tag)}
}

func shopOf(ts *testscript.TestScript) *story.Shop {
	shop, ok := ts.Value(shopKey{}).(*story.Shop)
	if !ok {
		ts.Fatalf("the script has no shop")
	}
	return shop
}

func push(signed bool) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		head, err := shopOf(ts).Push(context.Background(), args[0], signed, message, deploy(args[1]))
		ts.Check(err)
		ts.Setenv("HEAD", head)
	}
}

func fetch(ts *testscript.TestScript, _ bool, _ []string) {
	clone := filepath.Join(ts.Getenv("WORK"), "clone")
	ts.Check(ts.Exec("git", "-C", clone, "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", "refs/fairway/*:refs/fairway/*"))
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("running %q: %v", args[1:], err)
		}
		code = exit.ExitCode()
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("%q exits %d, want %s", args[1:], code, want)
	}
}
