package main

import (
	"context"
	"errors"
	"net/mail"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// A memberService manages the caller's organization.
type memberService struct {
	organizations *organizations
}

func (s *memberService) ListMembers(
	ctx context.Context, _ *connect.Request[samplev1.ListMembersRequest],
) (*connect.Response[samplev1.ListMembersResponse], error) {
	return connect.NewResponse(&samplev1.ListMembersResponse{
		Members: s.organizations.ofCaller(ctx).listMembers(),
	}), nil
}

func (s *memberService) InviteMember(
	ctx context.Context, request *connect.Request[samplev1.InviteMemberRequest],
) (*connect.Response[samplev1.InviteMemberResponse], error) {
	email := request.Msg.GetEmail()
	if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
		return nil, invalid("email must be an address such as ada@example.com")
	}
	member := &samplev1.Member{Email: email, Invited: true}
	if !s.organizations.ofCaller(ctx).addMember(member) {
		return nil, connect.NewError(connect.CodeAlreadyExists, errors.New("the organization has this member"))
	}
	return connect.NewResponse(&samplev1.InviteMemberResponse{Member: member}), nil
}

func (s *memberService) UpdateBilling(
	ctx context.Context, request *connect.Request[samplev1.UpdateBillingRequest],
) (*connect.Response[samplev1.UpdateBillingResponse], error) {
	plan := request.Msg.GetPlan()
	if plan == "" {
		return nil, invalid("plan must not be empty")
	}
	return connect.NewResponse(&samplev1.UpdateBillingResponse{
		Plan: s.organizations.ofCaller(ctx).setPlan(plan),
	}), nil
}
