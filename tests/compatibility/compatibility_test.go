package compatibility_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/compatibility"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// servers are those that Machinery's tests run on. Each has one test, which goes through all cases: tasks, groups,
// chords, chains, errors, several results, panics and delays. There are no others, and so none is left out.
var servers = []struct {
	name     string
	variable string // in which Machinery's tests look for it
	address  func(testing.TB) string
	test     string
}{
	{"redis", "REDIS_URL", redisAddress, "TestRedisRedis_GoRedis"},
	{"amqp", "AMQP_URL", services.AMQP, "TestAmqpAmqp"},
}

func TestMachinerysOwnTestsPass(t *testing.T) {
	dir := t.TempDir()
	build := sync.OnceValues(func() (string, error) { return buildMachinerysTests(dir) })
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			address := server.variable + "=" + server.address(t)
			binary, err := build()
			require.NoError(t, err)
			for _, way := range []string{compatibility.Alone, compatibility.Plain, compatibility.Wrapped} {
				t.Run(way, func(t *testing.T) {
					output := run(t, binary, address, compatibility.Variable+"="+way)
					require.Contains(t, output, "--- PASS: "+server.test+" ")
				})
			}
		})
	}
}

// run runs Machinery's tests, which skip themselves where no variable names their server.
func run(t *testing.T, binary string, environment ...string) string {
	// The binary's own limit comes first, for it tells where it hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.timeout=1m")
	cmd.Env = append(append(os.Environ(), "REDIS_URL=", "AMQP_URL=", "AMQP_URLS="), environment...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

// redisAddress returns what Machinery's tests expect in REDIS_URL, which is no
// URL: host:port, or user:password@host:port.
func redisAddress(t testing.TB) string {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	if options.DB != 0 || options.TLSConfig != nil {
		services.Missing(t, "REDIS_URL: Machinery's tests use database 0, without TLS")
	}
	if options.Password == "" {
		return options.Addr
	}
	return options.Username + ":" + options.Password + "@" + options.Addr
}
