using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Operator.Rendering;
using Xunit;

namespace Opt.Operator.Tests.Rendering;

public sealed class StrategicMergeTests
{
    [Theory]
    [InlineData("an object merges", "{a: {x: 1, y: 2}}", "{a: {y: 3}}", "{a: {x: 1, y: 3}}")]
    [InlineData("null removes", "{a: 1, b: 2}", "{a: null}", "{b: 2}")]
    [InlineData("containers merge by name", "{containers: [{name: t, image: i, tty: true}]}", "{containers: [{name: t, image: j}, {name: s}]}", "{containers: [{name: t, image: j, tty: true}, {name: s}]}")]
    [InlineData("env merges by name and keeps its order", "{env: [{name: A, value: '1'}, {name: B, value: '2'}]}", "{env: [{name: B, value: '3'}, {name: C, value: '4'}]}", "{env: [{name: A, value: '1'}, {name: B, value: '3'}, {name: C, value: '4'}]}")]
    [InlineData("mounts merge by path", "{volumeMounts: [{mountPath: /a, name: x}]}", "{volumeMounts: [{mountPath: /a, name: y}]}", "{volumeMounts: [{mountPath: /a, name: y}]}")]
    [InlineData("ports merge by number", "{ports: [{containerPort: 1, name: a}]}", "{ports: [{containerPort: 1, name: b}]}", "{ports: [{containerPort: 1, name: b}]}")]
    [InlineData("other lists are replaced", "{args: [a, b]}", "{args: [c]}", "{args: [c]}")]
    [InlineData("tolerations are replaced", "{tolerations: [{key: a}]}", "{tolerations: [{key: b}]}", "{tolerations: [{key: b}]}")]
    [InlineData("an element is deleted by directive", "{volumes: [{name: a}, {name: b}]}", "{volumes: [{name: a, $patch: delete}]}", "{volumes: [{name: b}]}")]
    [InlineData("an object is replaced by directive", "{a: {x: 1}}", "{a: {$patch: replace, y: 2}}", "{a: {y: 2}}")]
    public void Merges_as_the_API_server_does(string rule, string original, string patch, string expected)
    {
        var merged = StrategicMerge.Merge(Read(original), Read(patch));
        Assert.True(JsonNode.DeepEquals(Read(expected), merged), $"{rule}: {merged.ToJsonString()}");
    }

    private static JsonObject Read(string yaml) => Yaml.Parse(yaml)[0].AsObject();
}
