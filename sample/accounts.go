package main

import (
	"maps"
	"sync"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// Accounts hold the data of users, and the keys of clients. They are safe for concurrent use; an account is never
// modified once it is in.
type accounts struct {
	mu          sync.Mutex
	byUser      map[string]*samplev1.Account
	preferences map[string]map[string]string // by user
	keys        map[string]int32             // by client, the number of the key
}

func newAccounts(seed ...*samplev1.Account) *accounts {
	a := &accounts{
		byUser:      map[string]*samplev1.Account{},
		preferences: map[string]map[string]string{},
		keys:        map[string]int32{},
	}
	for _, account := range seed {
		a.byUser[account.GetUserId()] = account
	}
	return a
}

// account returns nil if the user has none.
func (a *accounts) account(user string) *samplev1.Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byUser[user]
}

// ofOrganization returns the accounts of one organization, ordered by user.
func (a *accounts) ofOrganization(organization string) []*samplev1.Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	members := maps.Clone(a.byUser)
	maps.DeleteFunc(members, func(_ string, account *samplev1.Account) bool { return account.GetOrganizationId() != organization })
	return sortedByKey(members)
}

// mergePreferences sets the given preferences of a user, and returns all preferences of the user. The issuer decides
// which users exist.
func (a *accounts) mergePreferences(user string, preferences map[string]string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.preferences[user] == nil {
		a.preferences[user] = map[string]string{}
	}
	maps.Copy(a.preferences[user], preferences)
	return maps.Clone(a.preferences[user])
}

// rotateKey returns the number of the client's next key.
func (a *accounts) rotateKey(client string) int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[client]++
	return a.keys[client]
}
