using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Patching;

/// <summary>JSON patch, RFC 6902, with RFC 6901 pointers.</summary>
public static class JsonPatch
{
    private const int MaxOperations = 10_000;

    /// <summary>Applies every operation in order; <paramref name="target"/> is consumed.</summary>
    /// <exception cref="PatchException">An operation is malformed or does not fit.</exception>
    public static JsonNode? Apply(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonArray operations) throw new PatchException("json: cannot unmarshal object into Go value of type jsonpatch.Patch", malformed: true);
        if (operations.Count > MaxOperations) throw new PatchException($"The allowed maximum operations in a JSON patch is {MaxOperations}, got {operations.Count}", malformed: true);
        foreach (var operation in operations)
        {
            if (operation is not JsonObject one) throw new PatchException("json: cannot unmarshal value into Go value of type jsonpatch.Operation", malformed: true);
            target = One(target, one);
        }

        return target;
    }

    private static JsonNode? One(JsonNode? root, JsonObject operation)
    {
        var path = Pointer(operation, "path");
        switch (operation["op"].Str())
        {
            case "add":
                return Add(root, path, Value(operation));
            case "remove":
                return Remove(root, path, out _);
            case "replace":
                return Replace(root, path, Value(operation));
            case "move":
                var from = Pointer(operation, "from");
                if (path.Length > from.Length && path.AsSpan(0, from.Length).SequenceEqual(from)) throw Unfit("cannot move a value into itself");
                root = Remove(root, from, out var moved);
                return Add(root, path, moved);
            case "copy":
                return Add(root, path, Find(root, Pointer(operation, "from"))?.DeepClone());
            case "test":
                return Find(root, path).SameAs(operation["value"]) ? root : throw Unfit($"testing value {operation["path"].Str()} failed: test failed");
            default:
                throw Unfit($"Unexpected kind: {operation["op"].Str() ?? "unknown"}");
        }
    }

    private static JsonNode? Value(JsonObject operation) => operation["value"]?.DeepClone();

    private static JsonNode? Add(JsonNode? root, string[] path, JsonNode? value)
    {
        if (path.Length == 0) return value;
        switch (Find(root, path[..^1]))
        {
            case JsonObject map:
                map[path[^1]] = value;
                return root;
            case JsonArray list:
                list.Insert(path[^1] == "-" ? list.Count : Index(path[^1], list.Count), value);
                return root;
            default:
                throw Missing("add", path);
        }
    }

    private static JsonNode? Remove(JsonNode? root, string[] path, out JsonNode? removed)
    {
        if (path.Length == 0)
        {
            removed = root;
            return null;
        }

        switch (Find(root, path[..^1]))
        {
            case JsonObject map when map.TryGetPropertyValue(path[^1], out removed):
                map.Remove(path[^1]);
                return root;
            case JsonArray list:
                var index = Index(path[^1], list.Count - 1);
                removed = list[index];
                list.RemoveAt(index);
                return root;
            default:
                throw Missing("remove", path);
        }
    }

    private static JsonNode? Replace(JsonNode? root, string[] path, JsonNode? value)
    {
        if (path.Length == 0) return value;
        switch (Find(root, path[..^1]))
        {
            case JsonObject map when map.ContainsKey(path[^1]):
                map[path[^1]] = value;
                return root;
            case JsonArray list:
                list[Index(path[^1], list.Count - 1)] = value;
                return root;
            default:
                throw Missing("replace", path);
        }
    }

    private static JsonNode? Find(JsonNode? node, string[] path)
    {
        foreach (var part in path)
        {
            node = node switch
            {
                JsonObject map when map.TryGetPropertyValue(part, out var below) => below,
                JsonArray list => list[Index(part, list.Count - 1)],
                _ => throw Missing("find", path),
            };
        }

        return node;
    }

    // A negative index counts from the end, as the Go library that Kubernetes uses allows.
    private static int Index(string text, int max)
    {
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index)) throw Unfit($"value was not a proper array index: '{text}'");
        if (index < 0) index += max + 1;
        return index >= 0 && index <= max ? index : throw Unfit($"Unable to access invalid index: {text}");
    }

    private static string[] Pointer(JsonObject operation, string member)
    {
        var text = operation[member].Str() ?? throw Unfit($"missing or invalid '{member}' in operation");
        if (text.Length == 0) return [];
        if (text[0] != '/') throw Unfit($"invalid JSON pointer '{text}'");
        return [.. text[1..].Split('/').Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
    }

    private static PatchException Missing(string operation, string[] path) => Unfit($"{operation} operation does not apply: doc is missing path: /{string.Join('/', path)}");

    private static PatchException Unfit(string message) => new(message, malformed: false);
}
