package backends_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
)

// An action of an AWS service takes the body of a request, and returns what is answered in JSON.
type action func(body []byte) (answer any, err error)

// handling makes an action of a function.
func handling[In, Out any](handle func(In) Out) action {
	return func(body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		return handle(in), nil
	}
}

// serveAWS serves actions, by name, in AWS's JSON protocol, and returns the configuration of clients and the address.
func serveAWS(t *testing.T, actions map[string]action) (aws.Config, string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		body, err := io.ReadAll(r.Body)
		if handle := actions[name]; err == nil && handle != nil {
			var answer any
			if answer, err = handle(body); err == nil {
				w.Header().Set("Content-Type", "application/x-amz-json-1.0")
				_ = json.NewEncoder(w).Encode(answer)
				return
			}
		}
		t.Errorf("action %q: %v", name, err)
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(server.Close)
	require.NotEmpty(t, server.URL)
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}, server.URL
}
