package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/tier"
)

// membersFrom is the annotation of a Team that says which team of a forge it was brought up to date
// with, and when. It is for people, and means nothing to Fairway.
const membersFrom = "fairway.dev/members-from"

// team reads a team on a forge and brings a Team up to date with it. It applies nothing.
func team(ctx context.Context, o cli.TeamOptions) (cli.TeamSync, error) {
	var current v1alpha1.Team
	if more := afterFirst(o.Current); len(more) > 0 {
		return cli.TeamSync{}, errors.New("reading the Team: the file is to hold one Team and nothing else, or the rest would be lost")
	}
	if err := yaml.UnmarshalStrict(o.Current, &current); err != nil {
		return cli.TeamSync{}, fmt.Errorf("reading the Team: %w", err)
	}
	if current.Kind != "Team" || current.Name == "" {
		return cli.TeamSync{}, errors.New("reading the Team: it is no Team, or has no name")
	}
	at, err := url.Parse(o.URL)
	if err != nil || at.Host == "" {
		return cli.TeamSync{}, errors.New("the forge's URL cannot be read")
	}
	kind := v1alpha1.ForgeKind(o.Forge)
	reader, err := speakerOf(tier.Forge{Kind: tier.ForgeKind(kind), URL: o.URL, Private: o.Private}, o.Token, nil, nil)
	if err != nil {
		return cli.TeamSync{}, err
	}
	members, err := reader.Members(ctx, o.Team)
	if err != nil {
		return cli.TeamSync{}, err
	}
	synced, err := withMembers(&current, v1alpha1.Account{Forge: kind, Host: strings.ToLower(at.Host)}, members)
	if err != nil {
		return cli.TeamSync{}, err
	}
	if current.Annotations == nil {
		current.Annotations = map[string]string{}
	}
	current.Annotations[membersFrom] = fmt.Sprintf("%s %s %s, %s", kind, strings.ToLower(at.Host), o.Team, time.Now().UTC().Format(time.RFC3339))
	current.Status = v1alpha1.TeamStatus{}
	synced.Manifest, err = yaml.Marshal(&current)
	return synced, err
}

// afterFirst is what stands in a file behind its first document. A file may begin with the mark of one.
func afterFirst(file []byte) []byte {
	_, more, _ := bytes.Cut(append([]byte("\n"), bytes.TrimPrefix(bytes.TrimSpace(file), []byte("---"))...), []byte("\n---"))
	return more
}

// withMembers leaves in a Team the principals with an account among the members, and adds those that
// are missing. A robot stays what the Team says it is.
func withMembers(t *v1alpha1.Team, at v1alpha1.Account, members []forge.Account) (cli.TeamSync, error) {
	if len(members) == 0 {
		return cli.TeamSync{}, errors.New("the forge's team is empty, or its members are not to be seen: nothing was changed")
	}
	byID := map[int64]forge.Account{}
	for _, m := range members {
		id, err := strconv.ParseInt(m.ID, 10, 64)
		if err != nil {
			continue // an account that is gone is nobody's
		}
		byID[id] = m
	}
	var out cli.TeamSync
	t.Spec.Principals = slices.DeleteFunc(t.Spec.Principals, func(p v1alpha1.Principal) bool {
		known := false
		for _, a := range p.Accounts {
			if a.Forge == at.Forge && a.Host == at.Host && byID[a.ID].ID != "" {
				known = true
				delete(byID, a.ID)
			}
		}
		if !known {
			out.Removed = append(out.Removed, p.Name)
		}
		return !known
	})
	for _, m := range members {
		id, _ := strconv.ParseInt(m.ID, 10, 64)
		if byID[id].ID == "" {
			continue
		}
		delete(byID, id)
		p := v1alpha1.Principal{Name: principalName(m, at.Host), Accounts: []v1alpha1.Account{{Forge: at.Forge, Host: at.Host, ID: id, Login: shown(m.Login)}}}
		if m.Robot {
			p.Kind = v1alpha1.PrincipalRobot
		}
		t.Spec.Principals, out.Added = append(t.Spec.Principals, p), append(out.Added, p.Name)
	}
	return out, nil
}

// notOfNames are the characters that a principal's name does not have.
var notOfNames = regexp.MustCompile(`[^-a-z0-9._]+`)

// aLogin is what a login looks like on every forge.
var aLogin = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

// shown is a login for people to read; empty where it could show them another text than it is.
func shown(login string) string {
	if !aLogin.MatchString(login) {
		return ""
	}
	return login
}

// longestName is that of a principal.
const longestName = 63

// principalName is a name for an account that is nobody's yet: its login with its number and the host of its forge.
// A login alone, or with a number that another forge gave, could be the name of somebody in another Team, whom
// whoever chose that login would become a part of.
func principalName(a forge.Account, host string) string {
	login := strings.Trim(notOfNames.ReplaceAllString(strings.ToLower(strings.ReplaceAll(a.Login, ".", "-")), "-"), "-_")
	place := strings.Trim(notOfNames.ReplaceAllString(host, "-"), "-._")
	if login == "" || len(login) > 40 {
		login = "account"
	}
	if name := login + "-" + a.ID + "." + place; len(name) <= longestName {
		return name
	}
	sum := sha256.Sum256([]byte(host))
	return "account-" + a.ID + "." + hex.EncodeToString(sum[:8])
}
