import test from 'ava';
import { int64Tensor } from '../../../pcpp/onnx/model.js';
import { consultOracle } from '../../../pcpp/onnx/oracle.js';
import { node, smallModel, weight } from '../../helpers/small-graph.js';

const sample = { name: 'sample', elementType: 1, dims: [2, 4, 6, 8] };

test('shapes follow through arithmetic on shapes', async (t) => {
  const model = smallModel({
    nodes: [
      node('Shape', ['sample'], ['size']),
      node('Gather', ['size', 'two'], ['rows']),
      node('Unsqueeze', ['rows', 'zero'], ['list']),
      node('Concat', ['minus', 'list'], ['target'], { axis: 0 }),
      node('Reshape', ['sample', 'target'], ['out_sample']),
    ],
    initializers: [
      int64Tensor('two', [2], []),
      int64Tensor('zero', [0]),
      int64Tensor('minus', [-1]),
    ],
  });
  const oracle = await consultOracle(model, [sample]);
  t.deepEqual(oracle.shapes.get('out_sample'), [64, 6]);
  t.deepEqual(oracle.constants.get('target'), { dims: [2], values: [-1, 6] });
  t.is(oracle.types.get('size'), 7);
});

test('a shape that is chosen at run time by comparing needs a second round', async (t) => {
  const model = smallModel({
    nodes: [
      node('Shape', ['sample'], ['size']),
      node('ConstantOfShape', ['four'], ['zeros']),
      node('Cast', ['zeros'], ['fill'], { to: 7 }),
      node('Equal', ['size', 'fill'], ['same']),
      node('Where', ['same', 'size', 'size'], ['target']),
      node('Expand', ['one', 'target'], ['wide']),
      node('Add', ['sample', 'wide'], ['out_sample']),
    ],
    initializers: [int64Tensor('four', [4]), weight('one', [1])],
  });
  const oracle = await consultOracle(model, [sample]);
  t.deepEqual(oracle.shapes.get('wide'), [2, 4, 6, 8]);
});

test('weights are not needed for shapes', async (t) => {
  const external = {
    ...weight('w', [16, 4, 3, 3]),
    data_location: 1,
    external_data: [{ key: 'location', value: 'nowhere' }],
  };
  delete (external as { raw_data?: Uint8Array }).raw_data;
  const model = smallModel({
    nodes: [node('Conv', ['sample', 'w'], ['out_sample'])],
    initializers: [external],
  });
  const oracle = await consultOracle(model, [sample]);
  t.deepEqual(oracle.shapes.get('out_sample'), [2, 16, 4, 6]);
});

test('a graph that does not fit the size is refused in the words of ONNX Runtime', async (t) => {
  const model = smallModel({
    nodes: [node('Add', ['sample', 'w'], ['out_sample'])],
    initializers: [weight('w', [3])],
  });
  await t.throwsAsync(consultOracle(model, [sample]), {
    code: 'E_GRAPH',
    message: /refuses the graph/,
  });
});
