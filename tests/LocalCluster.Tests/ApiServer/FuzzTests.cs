using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Opt.LocalCluster.ApiServer.CustomResources;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Patching;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Schema.Cel;
using Opt.LocalCluster.ApiServer.Selectors;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

/// <summary>Whatever comes in, the parsers answer or refuse; nothing else escapes them.</summary>
public sealed class FuzzTests
{
    private static readonly string[] PodWords =
    [
        "metadata", "labels", "name", "spec", "containers", "ports", "containerPort", "protocol", "env", "status", "conditions", "type", "Ready", "finalizers",
        "$patch", "delete", "replace", "merge", "$setElementOrder/containers", "$retainKeys", "$deleteFromPrimitiveList/finalizers", "volumes", "emptyDir", "image", "c",
    ];

    [Fact]
    public void A_json_patch_applies_or_is_refused() => Check(
        Gens.Json("a", "b", "0", "-"),
        Arb.From(Gen.Zip(Gen.Elements("add", "remove", "replace", "move", "copy", "test", "bogus"), Gen.Elements("", "/", "/a", "/b/0", "/a/-", "/-1", "a", "/a~1b/~0", "/b/a")).ArrayOf(3).Select(ops =>
            new JsonText(new JsonArray([.. ops.Select(o => new JsonObject { ["op"] = o.Item1, ["path"] = o.Item2, ["from"] = "/a", ["value"] = new JsonObject { ["x"] = 1 } })]).ToJsonString()))),
        (target, patch) => Refused<PatchException>(() => JsonPatch.Apply(target.Node, patch.Node)));

    [Fact]
    public void A_merge_patch_always_applies_and_leaves_no_null() => Check(Gens.Json("a", "b", "c"), Gens.Json("a", "b", "c"), (target, patch) =>
    {
        var merged = MergePatch.Apply(target.Node, patch.Node);
        return patch.Node is not JsonObject || merged is JsonObject map && patch.Object.Where(m => m.Value is null).All(m => !map.ContainsKey(m.Key));
    });

    [Fact]
    public void A_strategic_merge_patch_applies_or_is_refused() => Check(Gens.Json(PodWords), Gens.Json(PodWords), (target, patch) =>
        Refused<PatchException>(() => StrategicMergePatch.Apply(target.Object, patch.Object, TypeCatalog.Struct("core.Pod"))));

    [Fact]
    public void A_label_selector_parses_or_is_refused_and_means_the_same_when_printed() => Check(
        Gens.Soup("a", "b/c", "=", "==", "!=", "!", " in ", " notin ", "(", ")", ",", " ", ">", "5", "x y", "ä", "-"),
        text => Refused<SelectorException>(() =>
        {
            var selector = LabelSelector.Parse(text);
            Assert.Equal(selector.ToString(), LabelSelector.Parse(selector.ToString()).ToString());
        }));

    [Fact]
    public void A_field_selector_parses_or_is_refused() => Check(Gens.Soup("metadata.name", "=", "==", "!=", ",", "\\", "x", " "), text => Refused<SelectorException>(() => FieldSelector.Parse(text)));

    [Fact]
    public void An_expression_evaluates_or_is_refused() => Check(
        Gens.Soup("self", "oldSelf", ".", "a", "b", "(", ")", "[", "]", "0", "1", "9223372036854775808", "-", "+", "*", "/", "%", "1.5", "'x'", "\"", "==", "<", "&&", "||", "!", "?", ":", " in ", "has", "size", "{", "}", ",", ".all(x, ", ".exists(x, x", ".map(x, x)", "matches", "int", "quantity('1Ki')", "r'", "\\"),
        Gens.Json("a", "b", "x"),
        (text, self) => Refused<CelSyntaxException, CelException>(() => CelProgram.Compile(text).Evaluate(new Dictionary<string, object?> { ["self"] = CelValues.From(self.Node, null), ["oldSelf"] = 1L })));

    [Fact]
    public void A_json_path_finds_something_or_nothing_or_is_refused() => Check(Gens.Soup(".", "a", "[", "]", "0", "-1", "'b'", "*", "?(@.a==", "\"x\"", ")", "{", "}", "$", "\\."), Gens.Json("a", "b"), (path, item) =>
        Refused<FormatException>(() => _ = item.Node is { } node ? JsonPath.Parse(path).Find(node).Count() : 0));

    [Fact]
    public void Yaml_reads_or_is_refused() => Check(Gens.Soup("a", ": ", "- ", "\n", "  ", "{", "}", "[", "]", "&x ", "*x", "'", "\"", "|", "#", "---", "1", "null", "? ", "!!str "), text => Refused<FormatException>(() => YamlTree.Parse(text)));

    [Fact]
    public void A_protobuf_body_reads_or_is_refused() => Check(Gens.Bytes(), bytes => Refused<FormatException>(() => ProtoReader.Read(bytes, TypeCatalog.Struct("core.Pod"))));

    [Fact]
    public void Any_json_decodes_as_a_pod_or_is_refused_and_decoding_again_changes_nothing() => Check(Gens.Json(PodWords), json => Refused<DecodeException>(() =>
    {
        var once = Canonical.Object(json.Object, TypeCatalog.Struct("core.Pod"));
        Assert.Equal(once.ToJsonString(), Canonical.Object(once, TypeCatalog.Struct("core.Pod")).ToJsonString());
    }));

    [Fact]
    public void Any_json_prunes_defaults_and_validates_against_a_schema()
    {
        var schema = StructuralSchema.Read((JsonObject)JsonNode.Parse("""
            {"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"integer","minimum":0,"default":1}},"x-kubernetes-validations":[{"rule":"self.b > 0 || !has(self.c)"}]},
             "c":{"type":"array","maxItems":1,"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["b"],"items":{"type":"object","required":["b"],"properties":{"b":{"type":"string","pattern":"^x+$"}}}},
             "d":{"x-kubernetes-int-or-string":true},"e":{"type":"object","additionalProperties":{"type":"number"}},"f":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}
            """)!);
        Check(Gens.Json("a", "b", "c", "d", "e", "f", "x"), Gens.Json("a", "b", "c", "d", "e", "f", "x"), (json, before) =>
        {
            var item = json.Object;
            Pruner.Prune(item, schema, new DecodeReport());
            Pruner.Default(item, schema);
            var errors = new List<Opt.LocalCluster.ApiServer.FieldError>();
            StructuralValidator.Validate(item, before.Object, schema, "", errors);
            ListRules.Validate(item, schema, "", errors);
            CelValidator.Validate(item, before.Object, true, schema, "", errors);
            return errors.All(e => e.ToString().Length > 0);
        });
    }

    [Fact]
    public void A_quantity_reads_back_as_it_was_written() => Check(
        Arb.From(Gen.Zip(Gen.Choose(-100000, 100000), Gen.Choose(0, 999)).SelectMany(n => Gen.Elements("", "m", "k", "M", "Ki", "Mi", "Gi", "e3", "n").Select(unit => $"{n.Item1}.{n.Item2}{unit}"))),
        text => Quantity.TryParse(text, out var quantity) && Quantity.TryParse(quantity.ToString(), out var again) && again.Nano == quantity.Nano && again.ToString() == quantity.ToString());

    private static void Check<T>(Arbitrary<T> arbitrary, Func<T, bool> holds) => Prop.ForAll(arbitrary, holds).QuickCheckThrowOnFailure();

    private static void Check<T, U>(Arbitrary<T> first, Arbitrary<U> second, Func<T, U, bool> holds) => Prop.ForAll(first, second, holds).QuickCheckThrowOnFailure();

    private static bool Refused<TException>(Action action)
        where TException : Exception => Refused<TException, TException>(action);

    // True when the action ends, or refuses in the one way it may.
    private static bool Refused<TFirst, TSecond>(Action action)
        where TFirst : Exception
        where TSecond : Exception
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is TFirst or TSecond)
        {
            return e.Message.Length > 0;
        }

        return true;
    }
}
