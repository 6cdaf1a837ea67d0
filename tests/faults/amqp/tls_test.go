package amqp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// certified is the user that the client's certificate names.
const certified = "certified"

func TestTLSWithAClientCertificate(t *testing.T) {
	t.Parallel()
	n, address, client := newTLSNode(t)
	_, err := amqp.DialTLS("amqps://guest:guest@"+address+"/", &tls.Config{RootCAs: client.RootCAs})
	require.Error(t, err, "a client without a certificate")
	for name, url := range map[string]string{
		"and a password":        "amqps://guest:guest@" + address + "/",
		"instead of a password": "amqps://" + address + "/?auth_mechanism=external",
	} {
		t.Run(name, func(t *testing.T) {
			cnf := configOf(url, "faults-"+rand.Text())
			cnf.ResultBackend, cnf.TLSConfig = url, client
			testOverTLS(t, n, cnf)
		})
	}
}

// testOverTLS has tasks, results, delayed tasks and dead letters travel before and after the node is killed.
func testOverTLS(t *testing.T, n *node, cnf *config.Config) {
	broker := amqpadapter.NewBroker(cnf)
	defer broker.(amqpadapter.Broker).Close()
	server := machinery.NewServer(cnf, broker, amqpadapter.NewBackend(cnf), eagerlock.New())
	later := make(chan string, 10)
	require.NoError(t, server.RegisterTasks(map[string]any{
		"echo":  func(text string) (string, error) { return text, nil },
		"later": func(text string) error { later <- text; return nil },
	}))
	worker := server.NewWorker("tls", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)

	requireEcho(t, server)
	require.NoError(t, broker.Publish(t.Context(), newTask("echo", "no type")))
	requireLetters(t, broker, 1)
	// What RabbitMQ 3.10 has confirmed for a queue less than a second after it has made it, it may lose when it is killed.
	sendDelayed(t, broker, 3*time.Second)
	require.Equal(t, "later", <-later)

	sendDelayed(t, broker, 2*time.Second)
	n.kill()
	require.NoError(t, n.start())
	n.await(t)
	require.Equal(t, "later", <-later)
	requireEcho(t, server)
	require.NoError(t, broker.Publish(t.Context(), newTask("echo", "no type")))
	requireLetters(t, broker, 2)
	worker.Quit()
	<-ended
}

func newTask(name, kind string) *tasks.Signature {
	return &tasks.Signature{UUID: rand.Text(), Name: name, Args: []tasks.Arg{{Type: kind, Value: name}}}
}

func sendDelayed(t *testing.T, broker brokersiface.Broker, delay time.Duration) {
	t.Helper()
	s, eta := newTask("later", "string"), time.Now().Add(delay)
	s.ETA = &eta
	require.NoError(t, broker.Publish(t.Context(), s))
}

func requireEcho(t *testing.T, server *machinery.Server) {
	t.Helper()
	sent, err := server.SendTaskWithContext(t.Context(), newTask("echo", "string"))
	require.NoError(t, err)
	results, err := sent.GetWithTimeout(time.Minute, 10*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, "echo", results[0].Interface())
}

func requireLetters(t *testing.T, broker brokersiface.Broker, many int) {
	t.Helper()
	letters := broker.(amqpadapter.Broker).DeadLetters().(*amqpadapter.DeadLetters)
	require.True(t, waitFor(func() bool {
		n, err := letters.Count(t.Context())
		return err == nil && n == many
	}))
}

// newTLSNode starts a node, and returns it with its address for TLS and the configuration of a client that has the
// certificate which the node demands.
func newTLSNode(t *testing.T) (n *node, address string, client *tls.Config) {
	t.Helper()
	needPrograms(t)
	take(t, working)
	epmdPort := freePort()
	epmd, err := startEpmd(epmdPort)
	require.NoError(t, err)
	n, err = prepareNode("tls", epmdPort, passOnAgain)
	require.NoError(t, err)
	n.epmd = epmd
	address = fmt.Sprint("127.0.0.1:", freePort())
	client = n.demandCertificates(t, address)
	require.NoError(t, n.start())
	t.Cleanup(n.stop)
	n.await(t)
	n.ctl(t, "add_user", certified, rand.Text())
	n.ctl(t, "clear_password", certified)
	n.ctl(t, "set_permissions", certified, ".*", ".*", ".*")
	return n, address, client
}

// demandCertificates configures a node that has not started.
func (n *node) demandCertificates(t *testing.T, address string) *tls.Config {
	t.Helper()
	authority, key := newCertificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	server, serverKey := newCertificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, authority, key)
	user, userKey := newCertificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: certified}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, authority, key)

	marshalled, err := x509.MarshalPKCS8PrivateKey(serverKey)
	require.NoError(t, err)
	n.write(t, "authority.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}))
	n.write(t, "server.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Raw}))
	n.write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: marshalled}))
	n.write(t, "enabled_plugins", []byte("[rabbitmq_auth_mechanism_ssl]."))
	n.write(t, "rabbitmq.conf", fmt.Appendf(nil, `log.console = true
log.file = false
listeners.ssl.1 = %s
ssl_options.cacertfile = %[2]s/authority.pem
ssl_options.certfile = %[2]s/server.pem
ssl_options.keyfile = %[2]s/key.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
ssl_cert_login_from = common_name
`, address, n.dir))
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	return &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{user.Raw}, PrivateKey: userKey}},
		MinVersion:   tls.VersionTLS12,
	}
}

func (n *node) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, name), content, 0o600))
}

// newCertificate signs a certificate with that of an authority, or with its own key where there is none.
func newCertificate(t *testing.T, template, authority *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	if authority == nil {
		authority, signer = template, key
	}
	template.SerialNumber = new(big.Int).SetBytes([]byte(rand.Text()[:8]))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	signed, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, signer)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(signed)
	require.NoError(t, err)
	return certificate, key
}
