// Package signature tells who signed some bytes: a commit, or a statement in a DSSE envelope.
//
// A Keyring is compiled from people and verifies SSH signatures (PROTOCOL.sshsig), detached OpenPGP
// signatures and, for commits, detached CMS signatures whose certificate leads to an authority that a
// principal pins, or for keyless ones to a pinned trust root of Sigstore, over exactly the bytes it is
// given. A Signer makes such signatures for the command line. The cryptography is that of
// golang.org/x/crypto/ssh, hiddeco/sshsig, ProtonMail/go-crypto, smallstep/pkcs7, sigstore-go and
// crypto/x509; what stands here is which of the things they read we are willing to believe.
//
// Verifying is pure: no network, no subprocess, no clock. Every time comes from the caller, who must
// say when the signed thing was first seen, because the signer chooses every other date.
//
// What git accepts and this package refuses: text around the armour or a second block, armour that
// can be spelled in two ways, hashes other than SHA-256 and SHA-512, text-mode and expiring OpenPGP
// signatures, RSA below 2048 bits, SSH certificates, keyless signatures without their log entry,
// certificates that are not for signing code, keys whose window was over when the signature was first
// seen. Verification fails closed: whatever is not understood, panics included, is a state other than
// Good, and only Good carries a principal (T-20).
package signature
