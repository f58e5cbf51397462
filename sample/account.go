package main

import (
	"context"
	"errors"
	"io"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
)

// waySupport is the number of the way by which support calls ListAccounts: the first of the alternatives in
// account.proto.
const waySupport = 1

// An accountService serves the accounts of users. The guard has made sure that a request names the user or the
// client of the token, or that staff calls.
type accountService struct {
	accounts *accounts
}

func (s *accountService) GetAccount(
	_ context.Context, request *connect.Request[samplev1.GetAccountRequest],
) (*connect.Response[samplev1.GetAccountResponse], error) {
	account := s.accounts.account(request.Msg.GetUserId())
	if account == nil {
		return nil, errNoAccount()
	}
	return connect.NewResponse(&samplev1.GetAccountResponse{Account: account}), nil
}

// ReadAccounts reads on after each answer: the guard judges each message, so a user who names another user gets
// the refusal from Receive.
func (s *accountService) ReadAccounts(
	_ context.Context, stream *connect.BidiStream[samplev1.ReadAccountsRequest, samplev1.ReadAccountsResponse],
) error {
	for {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		account := s.accounts.account(request.GetUserId())
		if account == nil {
			return errNoAccount()
		}
		if err := stream.Send(&samplev1.ReadAccountsResponse{Account: account}); err != nil {
			return err
		}
	}
}

func (s *accountService) UpdatePreferences(
	ctx context.Context, request *connect.Request[samplev1.UpdatePreferencesRequest],
) (*connect.Response[samplev1.UpdatePreferencesResponse], error) {
	if _, nameless := request.Msg.GetPreferences()[""]; nameless {
		return nil, invalid("preferences must have names")
	}
	// The name is users/{subject}/preferences.
	user := interceptor.ClaimsFromContext(ctx).Subject()
	return connect.NewResponse(&samplev1.UpdatePreferencesResponse{
		Preferences: s.accounts.mergePreferences(user, request.Msg.GetPreferences()),
	}), nil
}

// ListAccounts goes by the organization of the way. Support acts for no organization, so its request decides. A call
// without a way, as in shadow, has no organization.
func (s *accountService) ListAccounts(
	ctx context.Context, request *connect.Request[samplev1.ListAccountsRequest],
) (*connect.Response[samplev1.ListAccountsResponse], error) {
	way, ok := interceptor.WayFromContext(ctx)
	organization := way.Organization
	if ok && way.Number == waySupport {
		organization = request.Msg.GetOrganizationId()
	}
	if organization == "" {
		return nil, invalid("organization_id must not be empty")
	}
	return connect.NewResponse(&samplev1.ListAccountsResponse{Accounts: s.accounts.ofOrganization(organization)}), nil
}

func (s *accountService) RotateKey(
	ctx context.Context, _ *connect.Request[samplev1.RotateKeyRequest],
) (*connect.Response[samplev1.RotateKeyResponse], error) {
	client := interceptor.ClaimsFromContext(ctx).ClientID()
	return connect.NewResponse(&samplev1.RotateKeyResponse{Version: s.accounts.rotateKey(client)}), nil
}

func errNoAccount() error {
	return connect.NewError(connect.CodeNotFound, errors.New("no such account"))
}
