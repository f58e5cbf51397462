// Package clientauth gives outgoing calls their token. A service that is itself a client needs
// a token for each service that it calls.
//
// A [Client] gets tokens from the identity provider and keeps them, a [Source] chooses the token
// for a call, an [Interceptor] and an [HTTPClient] send it:
//
//	client, err := clientauth.New(clientauth.Logto("https://tenant.logto.app"), "shop", os.Getenv("SHOP_SECRET"))
//	if err != nil {
//		return err
//	}
//	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:orders"}})
//	orders := orderv1connect.NewOrderServiceClient(
//		clientauth.HTTPClient(http.DefaultClient), "https://orders.example.com",
//		connect.WithInterceptors(clientauth.NewInterceptor(source)),
//	)
//
// Package grpcclientauth does the same for clients of grpc-go. There is no package yet for
// clients of connect-go v2.
//
// A token is never sent over plain HTTP, except to this machine and to hosts that are listed. A
// refused token is replaced, and a unary call is then repeated once. There is no goroutine to stop
// and nothing to close. No error holds a byte of a token or of the client's secret.
package clientauth
