package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// maxArmour is the most that an armoured signature may measure.
const maxArmour = 64 << 10

const (
	sshBegin = "-----BEGIN SSH SIGNATURE-----\n"
	sshEnd   = "-----END SSH SIGNATURE-----"
	pgpBegin = "-----BEGIN PGP SIGNATURE-----\n"
	pgpEnd   = "-----END PGP SIGNATURE-----"
	cmsBegin = "-----BEGIN SIGNED MESSAGE-----\n"
	cmsEnd   = "-----END SIGNED MESSAGE-----"
)

var (
	errNotOneBlock = errors.New("it is not exactly one armoured block")
	errNotASCII    = errors.New("it holds a byte that no armour holds")
	errBlankLine   = errors.New("a blank line is where none belongs")
	errBase64      = errors.New("its base64 is not canonical")
)

// lines are the lines between the first and last line of a text that is one armoured block and
// nothing else. The line break after the last line may be missing, as it is when the block was the
// value of a header.
func lines(armour []byte, begin, end string) ([]string, error) {
	for _, c := range armour {
		if c != '\n' && (c < ' ' || c > '~') {
			return nil, errNotASCII
		}
	}
	text := strings.TrimSuffix(string(armour), "\n")
	body, ok := strings.CutPrefix(text, begin)
	if !ok {
		return nil, errNotOneBlock
	}
	if body, ok = strings.CutSuffix(body, "\n"+end); !ok || strings.Contains(body, "-----") {
		return nil, errNotOneBlock
	}
	return strings.Split(body, "\n"), nil
}

// decode reads the base64 of an armour, which has one spelling: no blank line, no white space, no
// stray bits and padding at the end only. How long a line is does not matter.
func decode(body []string) ([]byte, error) {
	for _, l := range body {
		if l == "" {
			return nil, errBlankLine
		}
	}
	joined := strings.Join(body, "")
	raw, err := base64.StdEncoding.Strict().DecodeString(joined)
	if err != nil || len(raw) == 0 {
		return nil, errBase64
	}
	return raw, nil
}

// pgpBody splits the lines of an OpenPGP armour: headers, one blank line, base64 and the checksum,
// which is returned without its equals sign. RFC 9580 lets it be missing; gpg 2.2 then refuses some.
func pgpBody(all []string) (body []string, sum string, err error) {
	for len(all) > 0 && all[0] != "" {
		if name, _, ok := strings.Cut(all[0], ": "); !ok || name == "" {
			return nil, "", errNotOneBlock
		}
		all = all[1:]
	}
	if len(all) < 2 {
		return nil, "", errNotOneBlock
	}
	body = all[1:]
	last := body[len(body)-1]
	if len(last) != 5 || last[0] != '=' {
		return nil, "", errors.New("it has no checksum")
	}
	return body[:len(body)-1], last[1:], nil
}

// encodeOpenPGP armours a signature with a checksum, without which gpg 2.2 does not find the end.
func encodeOpenPGP(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.SignatureType, nil, true)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	return append(b.Bytes(), '\n'), err
}

// checksum is that of an OpenPGP armour (RFC 4880 §6.1). It protects nothing; it is compared because
// gpg refuses an armour whose checksum is wrong, and the library does not look.
func checksum(raw []byte) (string, error) {
	armour, err := encodeOpenPGP(raw)
	if err != nil {
		return "", err
	}
	all, err := lines(armour, pgpBegin, pgpEnd)
	if err != nil {
		return "", err
	}
	_, sum, err := pgpBody(all)
	return sum, err
}

// decodeSSH, decodeX509 and decodeOpenPGP are the bytes within an armoured signature.
func decodeSSH(armour []byte) ([]byte, error) {
	body, err := lines(armour, sshBegin, sshEnd)
	if err != nil {
		return nil, err
	}
	return decode(body)
}

func decodeX509(armour []byte) ([]byte, error) {
	body, err := lines(armour, cmsBegin, cmsEnd)
	if err != nil {
		return nil, err
	}
	return decode(body)
}

func decodeOpenPGP(armour []byte) ([]byte, error) {
	all, err := lines(armour, pgpBegin, pgpEnd)
	if err != nil {
		return nil, err
	}
	body, sum, err := pgpBody(all)
	if err != nil {
		return nil, err
	}
	raw, err := decode(body)
	if err != nil {
		return nil, err
	}
	if want, err := checksum(raw); err != nil || sum != want {
		return nil, errors.New("its checksum is wrong")
	}
	return raw, nil
}

// isArmoured reports whether a file holds an armoured block of that kind.
func isArmoured(file []byte, kind string) bool {
	return bytes.Contains(file, []byte("-----BEGIN "+kind+"-----"))
}
