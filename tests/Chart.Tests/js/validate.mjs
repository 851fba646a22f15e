// Checks manifests against the schemas of Kubernetes and of the operators. Standard input: a JSON list of {case, object}. Standard output: a JSON list
// of complaints, each a line of text.
//
// The compiled schemas do not complain of members they do not know; but they never look at them either, and that can be seen.
import { readFileSync } from 'node:fs';

const packages = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'traefik.io': '@kubernetes-models/traefik',
};

/** An object that notes which of its members are looked at, at any depth. */
function watched(value, path, seen) {
  if (value === null || typeof value !== 'object') return value;
  const members = new Map();
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return target[key];
      const place = `${path}/${key}`;
      seen.add(place);
      if (!members.has(key)) members.set(key, watched(target[key], place, seen));
      return members.get(key);
    },
    ownKeys(target) {
      for (const key of Object.keys(target)) seen.add(`${path}/${key}`);
      return Reflect.ownKeys(target);
    },
  });
}

/** The members that nobody looked at, the outermost only. */
function* unseen(value, path, seen) {
  if (value === null || typeof value !== 'object') return;
  for (const [key, member] of Object.entries(value)) {
    const place = `${path}/${key}`;
    if (seen.has(place)) yield* unseen(member, place, seen);
    else yield place;
  }
}

async function complaints(object) {
  const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '';
  let validate;
  try {
    const module = await import(`${packages[group] ?? 'kubernetes-models'}/${object.apiVersion}/${object.kind}`);
    validate = candidate => module[object.kind].prototype.validate.call(candidate);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    return ['has no schema'];
  }

  const seen = new Set();
  try {
    validate(watched(object, '', seen));
  } catch (error) {
    return [error.message];
  }
  return [...unseen(object, '', seen)].map(place => `${place} is not known`);
}

const told = [];
for (const { case: name, object } of JSON.parse(readFileSync(0, 'utf8'))) {
  for (const complaint of await complaints(object)) {
    told.push(`${name}: ${object.apiVersion} ${object.kind} ${object.metadata?.name}: ${complaint}`);
  }
}
console.log(JSON.stringify(told, null, 1));
