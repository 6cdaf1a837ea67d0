package redisv9

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9/auth"
)

// ErrUnsupported is what errors wrap that name a kind of client or an option that go-redis v8 has no equivalent of.
var ErrUnsupported = errors.New("redisv9: cannot be carried over to go-redis v8")

func unsupported(what, instead string) error {
	return fmt.Errorf("%w: %s: %s", ErrUnsupported, what, instead)
}

func checkStreaming(provider auth.StreamingCredentialsProvider) error {
	if provider == nil {
		return nil
	}
	return unsupported("StreamingCredentialsProvider", "set CredentialsProviderContext, which is asked for each connection")
}
