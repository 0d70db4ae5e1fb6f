// Command gitserver serves the repositories of a folder over HTTPS, as a forge does, to whoever asks: Fairway
// takes no address without encryption.
//
//	gitserver -listen ADDRESS -certificate FILE -key FILE FOLDER
package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	listen := flag.String("listen", "", "address")
	certificate := flag.String("certificate", "", "file in PEM")
	key := flag.String("key", "", "file in PEM")
	flag.Parse()
	if err := serve(*listen, *certificate, *key, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "gitserver: "+err.Error())
		os.Exit(1)
	}
}

func serve(listen, certificate, key, folder string) error {
	programs, err := exec.Command("git", "--exec-path").Output() //nolint:noctx // it ends at once
	if err != nil {
		return fmt.Errorf("looking for git: %w", err)
	}
	server := &http.Server{Addr: listen, ReadHeaderTimeout: 10 * time.Second, Handler: &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	}}
	return server.ListenAndServeTLS(certificate, key)
}
