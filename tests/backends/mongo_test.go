package backends_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/FerretDB/FerretDB/ferretdb"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	mongobackend "github.com/RichardKnop/machinery/v2/backends/mongo"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
)

func openMongo(t *testing.T, cnf *config.Config) func() backendsiface.Backend {
	cnf.MongoDB = &config.MongoDBConfig{Client: ferret(t), Database: "machinery"}
	return func() backendsiface.Backend {
		backend, err := mongobackend.New(cnf)
		require.NoError(t, err)
		return backend
	}
}

// ferret runs a FerretDB with an SQLite database of its own until the test has ended.
func ferret(t *testing.T) *mongo.Client {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Handler:   "sqlite",
		SQLiteURL: "file:" + t.TempDir() + "/?_pragma=synchronous(off)", // nobody reads it after a crash
		Logger:    slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	client, err := mongo.Connect(ctx, options.Client().ApplyURI(server.MongoDBURI()))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Disconnect(context.Background()))
		stop()
		require.NoError(t, <-ended)
	})
	return client
}
