package guide

import "github.com/protoauthz/protoauthz/interceptor/token"

// workloads are providers of pipelines, deployments and machines. Their tokens have no scopes.
func workloads() []Literal {
	aws := token.Issuer{
		URL:               "https://a188ffe2-94b1-49e6-a35a-a937a3f68d5b.tokens.sts.global.api.aws",
		Algorithms:        []string{"ES384"},
		Types:             []string{"", "JWT"},
		RequiredClaims:    map[string][]string{"sub": {"arn:aws:iam::123456789012:role/worker"}},
		ClientClaims:      []string{"sub"},
		ClientTokens:      map[string][]string{"sub": {"{client}"}},
		OrganizationClaim: "/https:~1~1sts.amazonaws.com~1/aws_account",
	}
	bitbucket := token.Issuer{
		URL:               "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
		Algorithms:        []string{"RS256"},
		Types:             []string{"", "JWT"},
		RequiredClaims:    map[string][]string{"workspaceUuid": {"{7baee083}"}},
		ClientClaims:      []string{"repositoryUuid"},
		ClientTokens:      map[string][]string{"repositoryUuid": {"{client}"}},
		OrganizationClaim: "workspaceUuid",
	}
	buildkite := token.Issuer{
		URL:               "https://agent.buildkite.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"", "JWT"},
		RequiredClaims:    map[string][]string{"organization_id": {"0184990a-477b"}},
		ClientClaims:      []string{"pipeline_id"},
		ClientTokens:      map[string][]string{"pipeline_id": {"{client}"}},
		OrganizationClaim: "organization_id",
	}
	circleCI := token.Issuer{
		URL:               "https://oidc.circleci.com/org/c9035eb6-6eb2-4c85-8a81-d9ed6a1d1d1e",
		Algorithms:        []string{"RS256"},
		Types:             []string{"", "JWT"},
		RequiredClaims:    map[string][]string{"/oidc.circleci.com~1project-id": {"3a2f5b1c"}, "/oidc.circleci.com~1ssh-rerun": {"false"}},
		ClientClaims:      []string{"/oidc.circleci.com~1project-id"},
		ClientTokens:      map[string][]string{"/oidc.circleci.com~1project-id": {"{client}"}},
		OrganizationClaim: "/oidc.circleci.com~1org-id",
	}
	github := token.Issuer{
		URL:               "https://token.actions.githubusercontent.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"repository_owner_id": {"1"}},
		ClientClaims:      []string{"repository"},
		ClientTokens:      map[string][]string{"repository": {"{client}"}},
		OrganizationClaim: "repository_owner",
	}
	gitlab := token.Issuer{
		URL:               "https://gitlab.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"namespace_id": {"72"}, "job_namespace_id": {"", "72"}},
		ClientClaims:      []string{"project_id"},
		ClientTokens:      map[string][]string{"project_id": {"{client}"}},
		OrganizationClaim: "namespace_id",
	}
	terraform := token.Issuer{
		URL:               "https://app.terraform.io",
		Algorithms:        []string{"RS256"},
		Types:             []string{"", "JWT"},
		RequiredClaims:    map[string][]string{"terraform_organization_id": {"org-1"}, "terraform_run_phase": {"apply"}},
		ClientClaims:      []string{"terraform_workspace_id"},
		ClientTokens:      map[string][]string{"terraform_workspace_id": {"{client}"}},
		OrganizationClaim: "terraform_organization_id",
	}
	spiffe := token.Issuer{
		URL:            "https://oidc.example.org",
		Algorithms:     []string{"ES256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"sub": {"spiffe://example.org/ns/payments/sa/worker"}},
		ClientClaims:   []string{"sub"},
		ClientTokens:   map[string][]string{"sub": {"{client}"}},
	}
	vercel := token.Issuer{
		URL:               "https://oidc.vercel.com/acme",
		Algorithms:        []string{"RS256"},
		Types:             []string{"", "JWT"},
		RequiredClaims:    map[string][]string{"owner_id": {"team_7Gw5"}, "environment": {"production"}},
		ScopeClaims:       []string{"environment"},
		ClientClaims:      []string{"project_id"},
		ClientTokens:      map[string][]string{"project_id": {"{client}"}},
		OrganizationClaim: "owner_id",
	}
	return []Literal{
		{"AWS", "aws/outbound-federation", aws},
		{"Bitbucket Pipelines", "bitbucket-pipelines", bitbucket},
		{"Buildkite", "buildkite", buildkite},
		{"CircleCI", "circleci", circleCI},
		{"GitHub Actions", "github-actions", github},
		{"GitLab CI/CD", "gitlab-ci", gitlab},
		{"HCP Terraform", "terraform-cloud", terraform},
		{"SPIFFE", "spiffe/jwt-svid", spiffe},
		{"Vercel", "vercel", vercel},
	}
}
