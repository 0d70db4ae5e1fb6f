package controlplane

import (
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ConfigFor returns the configuration of another user, with a client certificate of its own: a real user
// to the API server, not an impersonated one. It has no rights but those which RBAC gives to the name and
// the groups. There is no limit on the client's side, and warnings are dropped unless the caller sets a
// WarningHandler.
func (c *Cluster) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	pair, err := c.clients.client(user, groups)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: "https://" + c.address,
		QPS:  -1,
		// The API server warns of much that the manifests of tests do on purpose.
		WarningHandler: rest.NoWarnings{},
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   c.serving.certificatePEM(),
			CertData: pair.certificate,
			KeyData:  pair.key,
		},
	}, nil
}

// Kubeconfig writes the administrator's configuration as a file for kubectl, readable by its owner alone.
func (c *Cluster) Kubeconfig(path string) error { return WriteKubeconfig(path, c.Config) }

// WriteKubeconfig writes a configuration of Config or ConfigFor as a file for kubectl, readable by its
// owner alone.
func WriteKubeconfig(path string, cfg *rest.Config) error {
	const name = "fairway"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthorityData: cfg.CAData}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData, Token: cfg.BearerToken}
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	file.CurrentContext = name
	text, err := clientcmd.Write(*file)
	if err != nil {
		return fmt.Errorf("encoding the kubeconfig: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// ServingPair is what a webhook under test serves with, all in PEM.
type ServingPair struct {
	// Certificate and Key are valid for 127.0.0.1 and localhost.
	Certificate, Key []byte
	// CA is the bundle for clientConfig.caBundle.
	CA []byte
}

// ServingPair makes a serving certificate for a webhook on loopback. Its authority is also that of the
// API server's own certificate, and never that of users.
func (c *Cluster) ServingPair() (ServingPair, error) {
	pair, err := c.serving.server("localhost")
	if err != nil {
		return ServingPair{}, err
	}
	return ServingPair{Certificate: pair.certificate, Key: pair.key, CA: c.serving.certificatePEM()}, nil
}
