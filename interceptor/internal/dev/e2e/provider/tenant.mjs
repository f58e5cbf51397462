// Who holds what, in the terms of Logto: roles grant a client scopes of an API, globally or inside
// an organization, and scopes of an organization that belong to no API.

import { errors } from 'oidc-provider';

const organizationURN = 'urn:logto:organization:';

// Every resource with the algorithm of its tokens. An organization is one too, by its URN.
const algorithms = {
  'https://api.example.com': 'ES384',
  'https://rsa.example.com': 'RS256',
  [organizationURN + 'acme']: 'ES384',
  [organizationURN + 'globex']: 'RS256',
};

// The admins hold every scope in every way, so that their tokens differ in the model alone.
const all = 'read:products write:products write:orders read:data write:data write:settings '
  + 'invite:member manage:members manage:billing';

const roles = {
  'acme-admin': { global: all, organizations: { acme: { api: all, organization: all } } },
  'globex-admin': { global: all, organizations: { globex: { api: all, organization: all } } },
  'acme-viewer': {
    global: 'read:products',
    organizations: { acme: { api: 'read:data', organization: '' } },
  },
  web: { global: 'read:products', organizations: {} },
};

// Web signs in users; the others are machines.
const clients = Object.keys(roles).map((id) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  id_token_signed_response_alg: 'ES384',
  ...(id === 'web'
    ? { grant_types: ['authorization_code'], redirect_uris: ['https://web.example.com/callback'] }
    : { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
}));

// organization is the one that a token request names, as Logto's do.
function organization(ctx) {
  return ctx.oidc.body?.organization_id;
}

// defaultResource makes a request that names only an organization one for that.
function defaultResource(ctx) {
  return organization(ctx) && organizationURN + organization(ctx);
}

// resourceServer returns the scopes that the client may get at a resource, and how tokens are signed.
// Other requested scopes are dropped without an error.
function resourceServer(ctx, resource, client) {
  const id = organization(ctx);
  const alg = algorithms[resource];
  if (!alg || (resource.startsWith(organizationURN) && resource !== organizationURN + id)) {
    throw new errors.InvalidTarget('resource is not known');
  }
  const { global, organizations } = roles[client.clientId];
  if (id && !organizations[id]) {
    throw new errors.AccessDenied('the client is no member of the organization');
  }
  const ofOrganization = resource.startsWith(organizationURN) ? 'organization' : 'api';
  return {
    scope: id ? organizations[id][ofOrganization] : global,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 3600,
    jwt: { sign: { alg } },
  };
}

// The shape of Logto, see shapes.mjs.
export const logto = {
  mount: '/oidc',
  issuer: '/oidc',
  jwks: '/jwks',
  clients,
  defaultResource,
  resourceServer,
  // An organization token says so in its audience.
  extraTokenClaims: (ctx, token) => (
    organization(ctx) && !token.aud.startsWith(organizationURN)
      ? { organization_id: organization(ctx) } : undefined
  ),
  // It also says when nothing is granted, which an API's token does not.
  access: (payload) => (
    payload.aud.startsWith(organizationURN) ? { ...payload, scope: payload.scope ?? '' } : payload
  ),
};
