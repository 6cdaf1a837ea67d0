package amqpadapter

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// announcing has RabbitMQ say that it does not let a user in. Otherwise it just ends the connection, as networks do.
type announcing struct {
	amqp.Authentication
	properties amqp.Table
}

// Response adds to the capabilities of the client, which the library has set just before it asks for the response.
func (a announcing) Response() string {
	if capabilities, ok := a.properties["capabilities"].(amqp.Table); ok {
		capabilities["authentication_failure_close"] = true
	}
	return a.Authentication.Response()
}

// authenticationsOf returns those that a URL asks for, in the library's way: nil where it knows one of them not, which it
// reports.
func authenticationsOf(uri amqp.URI, properties amqp.Table) []amqp.Authentication {
	if uri.AuthMechanism == nil {
		return []amqp.Authentication{announcing{uri.PlainAuth(), properties}}
	}
	var all []amqp.Authentication
	for _, mechanism := range uri.AuthMechanism {
		authentication := authenticationOf(uri, mechanism)
		if authentication == nil {
			return nil
		}
		all = append(all, announcing{authentication, properties})
	}
	return all
}

func authenticationOf(uri amqp.URI, mechanism string) amqp.Authentication {
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		return uri.PlainAuth()
	case "AMQPLAIN":
		return uri.AMQPlainAuth()
	case "EXTERNAL":
		return &amqp.ExternalAuth{}
	default:
		return nil
	}
}
