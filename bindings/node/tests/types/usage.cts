// The same from CommonJS.
import statewright = require('@statewright/node');

const engine: statewright.Engine = statewright.Engine.memory();
const value: statewright.Value | undefined = engine.kv.get('key');
void value;
