package services

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// RedisTLS starts a Redis for one test that takes TLS connections, and returns its address and a configuration that
// trusts its certificate. Where there is no redis-server in PATH it skips the test, or fails it where CI=true.
func RedisTLS(t testing.TB) (string, *tls.Config) {
	t.Helper()
	needRedisServer(t)
	certificate, key, roots := selfSigned(t)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), start)
	defer cancel()
	server, err := startProcess(ctx, fmt.Sprintf(`save ""
tls-port %d
tls-cert-file %s
tls-key-file %s
tls-ca-cert-file %[2]s
tls-auth-clients no
`, port, certificate, key))
	if err != nil {
		t.Fatalf("start a Redis with TLS: %v", err)
	}
	t.Cleanup(server.kill)
	return fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// selfSigned writes a certificate for 127.0.0.1 and its key into files.
func selfSigned(t testing.TB) (certificate, key string, roots *x509.CertPool) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	marshalled, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(signed)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	dir := t.TempDir()
	return writePEM(t, dir, "CERTIFICATE", signed), writePEM(t, dir, "PRIVATE KEY", marshalled), roots
}

func writePEM(t testing.TB, dir, kind string, content []byte) string {
	path := filepath.Join(dir, kind[:4]+".pem")
	encoded := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
