// Package shop is an application on Machinery v2.0.13, with the go.mod that it has there.
package shop

import (
	"github.com/RichardKnop/machinery/v2"
	redisbackend "github.com/RichardKnop/machinery/v2/backends/redis"
	redisbroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
)

// NewServer makes a server on a Redis.
func NewServer(cnf *config.Config, address string) *machinery.Server {
	broker := redisbroker.NewGR(cnf, []string{address}, 0)
	backend := redisbackend.NewGR(cnf, []string{address}, 0)
	return machinery.NewServer(cnf, broker, backend, eagerlock.New())
}
