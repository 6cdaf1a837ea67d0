package shop

import (
	"github.com/RichardKnop/machinery/v2"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Install adds the middleware.
func Install(server *machinery.Server) (*middleware.Middleware, error) {
	return middleware.Install(server, envelope.NewRegistry())
}
