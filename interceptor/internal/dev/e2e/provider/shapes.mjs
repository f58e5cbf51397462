// The shapes of other providers' tokens. A shape says where a provider has its issuer and its key set, and turns
// the payload of the engine's tokens into the provider's.
//
//   issuer    the path of the issuer
//   mount     the path below which the engine serves its routes
//   jwks      the route of the key set
//   audience  the audience of the API, and the id of a client that is registered together with the API
//   header    what the header of access tokens and of ID tokens has beside `alg` and `kid`
//   access    the payload of an access token, of a user or of a client
//   identity  the payload of an ID token

import { errors } from 'oidc-provider';

const api = 'https://api.example.com';
const scopes = 'read:products read:data';
const session = '2a88c258-ca29-4e6a-9b3e-3f4c6f3c1d11';
const tenant = 'aaaaaaaa-1111-2222-3333-444444444444';
const [acme, globex] = ['178204173316174381', '209358103284843523']; // organizations of Zitadel

const zitadelRoles = (scope) => ({
  'urn:zitadel:iam:org:project:229:roles': {
    ...Object.fromEntries(scope.split(' ').map((role) => [role, { [acme]: 'acme.ch' }])),
    'write:orders': { [globex]: 'globex.ch' },
  },
  'urn:zitadel:iam:user:resourceowner:id': acme,
  'urn:zitadel:iam:user:resourceowner:name': 'ACME',
});

export const shapes = {
  // RFC 9068, and opaque tokens.
  plain: { mount: '/oidc', issuer: '/oidc', jwks: '/jwks', audience: api },

  keycloak: {
    mount: '/realms/acme',
    issuer: '/realms/acme',
    jwks: '/protocol/openid-connect/certs',
    audience: api,
    header: { typ: 'JWT' },
    access: ({ client_id: azp, aud, ...claims }, user) => ({
      ...claims,
      aud: [aud, 'account'],
      typ: 'Bearer',
      azp,
      acr: '1',
      'allowed-origins': ['https://web.example.com'],
      realm_access: { roles: ['default-roles-acme', 'offline_access'] },
      resource_access: { account: { roles: ['view-profile'] } },
      ...(user
        ? { sid: session, preferred_username: claims.sub, organization: ['acme'] }
        : {
          sub: '9c1d8d7e-4c4f-4b0a-8d61-0d6a2c4b7c55',
          client_id: azp,
          clientHost: '127.0.0.1',
          clientAddress: '127.0.0.1',
          preferred_username: `service-account-${azp}`,
        }),
    }),
    identity: (claims) => ({
      ...claims, typ: 'ID', azp: claims.aud, sid: session, acr: '1', organization: ['acme'],
    }),
  },

  okta: {
    mount: '/oauth2/default',
    issuer: '/oauth2/default',
    jwks: '/v1/keys',
    audience: 'api://default',
    header: { typ: undefined },
    access: ({ client_id: cid, scope, jti, ...claims }, user) => ({
      ...claims,
      ver: 1,
      jti: `AT.${jti}`,
      cid,
      scp: scope.split(' '),
      ...(user && { sub: 'ada@example.com', uid: '00ujmkLgagxeRrAg20g3', auth_time: claims.iat }),
    }),
    identity: (claims) => ({
      ...claims, ver: 1, jti: 'ID.1', amr: ['pwd'], idp: '00o1', auth_time: claims.iat,
    }),
  },

  // The key set stands beside the issuer, not below it.
  entra: {
    mount: `/${tenant}`,
    issuer: `/${tenant}/v2.0`,
    jwks: '/discovery/v2.0/keys',
    audience: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
    header: { typ: 'JWT' },
    access: ({ client_id: azp, scope, jti: uti, ...claims }, user) => ({
      ...claims,
      nbf: claims.iat,
      aio: 'E2Zg',
      azp,
      azpacr: '1',
      rh: '0.A',
      tid: tenant,
      uti,
      ver: '2.0',
      ...(user
        ? {
          name: 'Ada', oid: 'oid-1', preferred_username: 'ada@acme.test', scp: scope, sid: session, sub: 'pairwise-1', roles: ['write:orders'],
        }
        : {
          oid: 'sp-1', sub: 'sp-1', roles: scope.split(' '), idtyp: 'app',
        }),
    }),
    identity: ({ nonce, ...claims }) => ({
      ...claims, nbf: claims.iat, name: 'Ada', oid: 'oid-1', rh: '0.A', sid: session, sub: 'pairwise-1', tid: tenant, ver: '2.0', roles: ['write:orders'],
    }),
  },

  zitadel: {
    mount: '',
    issuer: '',
    jwks: '/oauth/v2/keys',
    audience: '229',
    header: { typ: 'JWT' },
    access: ({ aud, scope, ...claims }) => ({
      ...claims, nbf: claims.iat, aud: [claims.client_id, aud], ...zitadelRoles(scope),
    }),
    identity: ({ nonce, ...claims }) => ({
      ...claims, azp: claims.aud, client_id: claims.aud, aud: [claims.aud, '229'], amr: ['pwd'], sid: 'V1_1', ...zitadelRoles(scopes),
    }),
  },

  // The identifier of the issuer ends with a slash.
  hydra: {
    mount: '',
    issuer: '/',
    jwks: '/.well-known/jwks.json',
    audience: api,
    header: { typ: 'JWT' },
    access: ({ aud, scope, ...claims }, user) => ({
      ...claims, nbf: claims.iat, aud: [aud], scp: scope.split(' '), ext: user ? { tenant: 'acme' } : {},
    }),
    identity: (claims) => ({
      ...claims, aud: [claims.aud], auth_time: claims.iat, rat: claims.iat, jti: 'i', sid: session,
    }),
  },
};

// complete adds what the shapes have in common. Users sign in by `web`, or by the client that is registered
// together with the API. `worker` is a machine. A resource decides the format of its access tokens.
function complete({ audience, ...shape }) {
  const user = (id) => ({
    client_id: id,
    client_secret: `${id}-secret`,
    grant_types: ['authorization_code', 'implicit', 'refresh_token'],
    response_types: ['code', 'id_token'],
    redirect_uris: ['https://web.example.com/callback'],
  });
  const jwt = { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
  const opaque = { accessTokenFormat: 'opaque' };
  const resources = {
    [api]: { audience, ...jwt },
    [`${api}/opaque`]: { audience, ...opaque },
    'https://other.example.com': jwt,
    'https://other.example.com/opaque': opaque,
  };
  return {
    ...shape,
    clients: [user('web'), user(audience), {
      client_id: 'worker', client_secret: 'worker-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    }],
    resourceServer(ctx, resource) {
      const server = resources[resource];
      if (!server) throw new errors.InvalidTarget('resource is not known');
      return { scope: scopes, ...server };
    },
  };
}

for (const name of Object.keys(shapes)) shapes[name] = complete(shapes[name]);
