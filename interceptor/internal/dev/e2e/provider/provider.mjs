// An identity provider for tests: oidc-provider, the engine of Logto, issues the tokens that Logto and other
// providers issue, with keys that rotate on demand.
//
//   node provider.mjs SHAPE [CLIENTS]
//
// SHAPE is logto (tenant.mjs) or one of shapes.mjs. CLIENTS are the metadata of more clients, as JSON. The program
// prints the issuer as a line of JSON, and ends on SIGTERM or with its standard input. Beside OpenID Connect it
// serves:
//
//   POST /control/rotate?keys=…  publish these generations of keys and sign with the first
//   GET /control/fetches         how often the key set was served
//   GET /control/introspections  how often a token was introspected

import { generateKeyPair, sign, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import Provider from 'oidc-provider';
import { shapes } from './shapes.mjs';
import { logto } from './tenant.mjs';

console.info = console.error; // oidc-provider's notices; standard output holds the issuer alone

const [, , name, more = '[]'] = process.argv;
const shape = { logto, ...shapes }[name];
const server = createServer();
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
const endpoint = `http://127.0.0.1:${server.address().port}`;
const issuer = endpoint + shape.issuer;
const routes = { jwks: shape.jwks, introspection: '/token/introspection' };

let provider;
let callback; // of the provider
const served = {}; // how often a route was called

// All keys are made at start: it takes long.
const generations = await Promise.all([0, 1, 2].map(generate));

// generate makes a key for each algorithm. As in Logto's key sets, an RSA key names none.
async function generate() {
  const generated = promisify(generateKeyPair);
  const [ec, rsa] = await Promise.all([
    generated('ec', { namedCurve: 'P-384' }),
    generated('rsa', { modulusLength: 2048 }),
  ]);
  return {
    rsa: rsa.privateKey,
    jwks: [
      { ...ec.privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES384' },
      { ...rsa.privateKey.export({ format: 'jwk' }), use: 'sig' },
    ],
  };
}

// rotate replaces the provider, since one cannot change its keys. Calls under way end with the old.
function rotate(numbers) {
  provider = new Provider(issuer, {
    clients: [...shape.clients, ...JSON.parse(more)],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'],
    jwks: { keys: numbers.flatMap((number) => generations[number].jwks) },
    routes,
    cookies: { keys: ['of a test'] },
    enabledJWA: {
      idTokenSigningAlgValues: ['ES384', 'RS256'],
      introspectionSigningAlgValues: ['ES384', 'RS256'],
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtIntrospection: { enabled: true },
      // A proxy ends TLS, and forwards the client's certificate.
      mTLS: {
        enabled: true,
        tlsClientAuth: true,
        getCertificate: certificate,
        certificateAuthorized: () => true,
        certificateSubjectMatches: (ctx, property, expected) => certificate(ctx).subject === expected,
      },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: shape.defaultResource ?? (() => undefined),
        getResourceServerInfo: shape.resourceServer,
        useGrantedResource: () => true,
      },
    },
    extraTokenClaims: shape.extraTokenClaims,
    formats: {
      customizers: {
        jwt(ctx, token, jwt) {
          if (!shape.access) return;
          jwt.payload = shape.access(jwt.payload, token.kind === 'AccessToken');
          jwt.header = shape.header;
        },
      },
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // Users sign in without a question, and consent to what is asked for.
    interactions: { url: (ctx, { uid }) => `/sign-in/${uid}` },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    pkce: { required: () => false },
    async loadExistingGrant(ctx) {
      const { client, params, session } = ctx.oidc;
      const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
      grant.addOIDCScope('openid');
      if (params.resource) grant.addResourceScope(params.resource, params.scope);
      await grant.save();
      return grant;
    },
    ttl: {
      AccessToken: 3600,
      ClientCredentials: 3600,
      Grant: 3600,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 3600,
      Session: 3600,
    },
  });
  if (shape.identity) shapeIDTokens(generations[numbers[0]].rsa);
  callback = provider.callback();
}

// certificate returns the client's certificate, out of a header (RFC 9440).
function certificate({ headers: { 'client-cert': der } }) {
  return der && new X509Certificate(Buffer.from(der.replaceAll(':', ''), 'base64'));
}

// shapeIDTokens signs the ID tokens of the engine again, with the header and the payload of the shape: the
// engine lets nobody change the two.
function shapeIDTokens(key) {
  const { issue } = provider.IdToken.prototype;
  provider.IdToken.prototype.issue = async function shaped(options) {
    const token = await issue.call(this, options);
    if (options.use !== 'idtoken') return token;
    const [header, payload] = token.split('.').slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url')));
    const signed = [{ ...header, ...shape.header }, shape.identity(payload)]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  };
}

async function handle(request, response) {
  const { pathname, searchParams } = new URL(request.url, endpoint);
  if (pathname.startsWith('/sign-in/')) {
    await provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
  } else if (pathname === '/control/rotate' && request.method === 'POST') {
    rotate(searchParams.get('keys').split(',').map(Number));
    response.end();
  } else if (pathname === '/control/fetches') {
    response.end(`${served[routes.jwks] ?? 0}`);
  } else if (pathname === '/control/introspections') {
    response.end(`${served[routes.introspection] ?? 0}`);
  } else if (pathname.startsWith(`${shape.mount}/`)) {
    const discovery = '/.well-known/openid-configuration';
    request.baseUrl = shape.mount;
    request.url = pathname === issuer.slice(endpoint.length).replace(/\/$/, '') + discovery
      ? discovery : request.url.slice(shape.mount.length);
    const route = pathname.slice(shape.mount.length);
    served[route] = (served[route] ?? 0) + 1;
    await callback(request, response);
  } else {
    response.writeHead(404).end();
  }
}

server.on('request', (request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
rotate([0]);
process.on('SIGTERM', () => process.exit());
process.stdin.on('end', () => process.exit()).resume();
console.log(JSON.stringify({ issuer }));
