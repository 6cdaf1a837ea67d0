package management

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// timeout bounds a request, where its context does not.
	timeout = 10 * time.Second
	// maxAnswer is room for the queues of a virtual host with 50,000 of them, as far as they are asked for.
	maxAnswer = 16 << 20
)

var (
	// ErrURL is returned by New for a URL that cannot be that of the API. The error does not quote it.
	ErrURL = errors.New("URL of the management API must be http or https, with a host")
	// ErrRefused is returned where RabbitMQ does not know the user, or the user may not see what was asked for.
	ErrRefused = errors.New("management API refuses the user: it needs the tag management, and access to the virtual host")
	// ErrAnswer is returned for an answer that is none of the management API.
	ErrAnswer = errors.New("answer is none of the management API")
	// ErrAnswerTooLong is returned for an answer of more than 16 MiB.
	ErrAnswerTooLong = errors.New("answer of the management API is too long")

	errMissing = errors.New("not found")
)

// A Client reads about one virtual host. It is safe for concurrent use, and keeps no connection that Close must end
// longer than net/http does.
type Client struct {
	base        *url.URL
	user        *url.Userinfo
	virtualHost string
	http        *http.Client
}

// New returns a client of the API at address, whose user and password, guest's by default, are sent with each request.
// The configuration is that of https; nil is net/http's own.
func New(address, virtualHost string, secure *tls.Config) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, ErrURL
	}
	user := base.User
	if user == nil {
		user = url.UserPassword("guest", "guest")
	}
	base.User, base.RawQuery, base.Fragment = nil, "", ""
	base.Path, base.RawPath = strings.TrimSuffix(strings.TrimSuffix(base.Path, "/"), "/api"), ""
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = secure.Clone()
	return &Client{base: base, user: user, virtualHost: virtualHost, http: &http.Client{
		Transport: transport,
		Timeout:   timeout,
		// Another host is not to get the password, nor to answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes the connections that no request uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// get returns the answer of the API to a path, whose elements stand unescaped, or errMissing.
func (c *Client) get(ctx context.Context, query string, path ...string) ([]byte, error) {
	address := *c.base
	address.RawPath = address.EscapedPath() + "/api"
	address.Path, address.RawQuery = address.Path+"/api", query
	for _, element := range path {
		address.Path, address.RawPath = address.Path+"/"+element, address.RawPath+"/"+url.PathEscape(element)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, ErrURL
	}
	password, _ := c.user.Password()
	request.SetBasicAuth(c.user.Username(), password)
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the management API: %w", withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	if err := checkStatus(response.StatusCode); err != nil {
		return nil, err
	}
	return readAnswer(response.Body)
}

func checkStatus(status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return errMissing
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w (status %d)", ErrRefused, status)
	default:
		return fmt.Errorf("%w: status %d", ErrAnswer, status)
	}
}

func readAnswer(body io.Reader) ([]byte, error) {
	answer, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of the management API: %w", err)
	}
	if len(answer) > maxAnswer {
		return nil, ErrAnswerTooLong
	}
	return answer, nil
}

// withoutURL leaves out the address: it may be long, and names of queues are in it.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
