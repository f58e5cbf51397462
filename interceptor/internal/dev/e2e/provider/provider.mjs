// An identity provider for tests: oidc-provider, the engine of Logto, issues the tokens that Logto
// issues, with keys that rotate on demand.
//
// It prints its endpoint as a line of JSON, and ends on SIGTERM or with its standard input.
//
//   /oidc/...                    OpenID Connect; the issuer is <endpoint>/oidc
//   POST /control/rotate?keys=…  publish these generations of keys and sign with the first
//   GET /control/fetches         how often the key set was served

import { generateKeyPair } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import Provider from 'oidc-provider';
import { clients, defaultResource, organization, organizationURN, resourceServer } from './tenant.mjs';

console.info = console.error; // oidc-provider's notices; standard output holds the endpoint alone

const server = createServer();
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
const endpoint = `http://127.0.0.1:${server.address().port}`;

let provider;
let callback; // of the provider
let fetches = 0;

// All keys are made at start: it takes long.
const generations = await Promise.all([0, 1, 2].map(generate));

// generate makes a key for each algorithm. As in Logto's key sets, an RSA key names none.
async function generate() {
  const generated = promisify(generateKeyPair);
  const [ec, rsa] = await Promise.all([
    generated('ec', { namedCurve: 'P-384' }),
    generated('rsa', { modulusLength: 2048 }),
  ]);
  return [
    { ...ec.privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES384' },
    { ...rsa.privateKey.export({ format: 'jwk' }), use: 'sig' },
  ];
}

// rotate replaces the provider, since one cannot change its keys. Calls under way end with the old.
function rotate(numbers) {
  provider = new Provider(`${endpoint}/oidc`, {
    clients,
    jwks: { keys: numbers.flatMap((number) => generations[number]) },
    cookies: { keys: ['of a test'] },
    enabledJWA: { idTokenSigningAlgValues: ['ES384', 'RS256'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource,
        getResourceServerInfo: resourceServer,
        useGrantedResource: () => true,
      },
    },
    // An organization token says so in its audience.
    extraTokenClaims: (ctx, token) => (
      organization(ctx) && !token.aud.startsWith(organizationURN)
        ? { organization_id: organization(ctx) } : undefined
    ),
    formats: {
      customizers: {
        // It also says when nothing is granted, which an API's token does not.
        jwt(ctx, token, { payload }) {
          if (payload.aud.startsWith(organizationURN)) payload.scope ??= '';
        },
      },
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // Users sign in without a question, and consent to what is asked for.
    interactions: { url: (ctx, { uid }) => `/sign-in/${uid}` },
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
      Session: 3600,
    },
  });
  callback = provider.callback();
}

async function handle(request, response) {
  const { pathname, searchParams } = new URL(request.url, endpoint);
  if (pathname.startsWith('/oidc/')) {
    if (pathname === '/oidc/jwks') fetches += 1;
    request.baseUrl = '/oidc';
    request.url = request.url.slice(request.baseUrl.length);
    await callback(request, response);
  } else if (pathname.startsWith('/sign-in/')) {
    await provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
  } else if (pathname === '/control/rotate' && request.method === 'POST') {
    rotate(searchParams.get('keys').split(',').map(Number));
    response.end();
  } else if (pathname === '/control/fetches') {
    response.end(`${fetches}`);
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
console.log(JSON.stringify({ endpoint }));
