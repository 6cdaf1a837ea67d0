package backends_test

import (
	"testing"

	"cloud.google.com/go/pubsub"
	"cloud.google.com/go/pubsub/pstest"
	"github.com/RichardKnop/machinery/v2/brokers/gcppubsub"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const project = "conformance"

func openPubSub(t *testing.T, cnf *config.Config) func() brokersiface.Broker {
	return openPubSubOn(t, cnf, pstest.NewServer())
}

func openPubSubOn(t *testing.T, cnf *config.Config, server *pstest.Server) func() brokersiface.Broker {
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	connection, err := grpc.NewClient(server.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	client, err := pubsub.NewClient(t.Context(), project, option.WithGRPCConn(connection))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	topic, err := client.CreateTopic(t.Context(), cnf.DefaultQueue)
	require.NoError(t, err)
	_, err = client.CreateSubscription(t.Context(), cnf.DefaultQueue, pubsub.SubscriptionConfig{Topic: topic})
	require.NoError(t, err)
	cnf.GCPPubSub = &config.GCPPubSubConfig{Client: client}
	return func() brokersiface.Broker {
		broker, err := gcppubsub.New(cnf, project, cnf.DefaultQueue)
		require.NoError(t, err)
		return broker
	}
}
