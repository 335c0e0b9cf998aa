using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>Objects of YAML files, applied in order, as <c>kubectl apply --server-side -f</c> does.</summary>
internal sealed class Manifest
{
    private static readonly Caller Applier = new("kubernetes-admin", "opt-local", ["system:masters", "system:authenticated"]);
    private readonly List<JsonObject> _objects = [];

    /// <summary>Reads a file, or all YAML files of a folder in order of name.</summary>
    /// <exception cref="UsageException">It is missing, not YAML, or holds something that is no Kubernetes object.</exception>
    public static Manifest Read(string path)
    {
        var files = Directory.Exists(path) ? [.. Directory.GetFiles(path, "*.yaml").Order(StringComparer.Ordinal)] : (string[])[path];
        var manifest = new Manifest();
        foreach (var file in files)
        {
            if (!File.Exists(file)) throw new UsageException($"{file}: no such file");
            manifest.Add(file, File.ReadAllText(file));
        }

        return manifest;
    }

    /// <summary>The only object of that kind.</summary>
    /// <exception cref="UsageException">There is none, or there are several.</exception>
    public JsonObject Single(string kind) => _objects.Where(o => (string?)o["kind"] == kind).ToArray() is [var one]
        ? one
        : throw new UsageException($"the manifest must hold exactly one {kind}; it holds {_objects.Count(o => (string?)o["kind"] == kind)}");

    /// <summary>Applies every object with strict field validation off the table: what the server refuses is an <see cref="ApiException"/>.</summary>
    /// <param name="definitions">The CustomResourceDefinitions in force, for the plurals of their kinds.</param>
    public async Task ApplyAsync(IClusterApi api, Manifest definitions, CancellationToken ct)
    {
        foreach (var body in _objects)
        {
            var resource = ResourceOf(body, definitions);
            var name = (string?)body["metadata"]?["name"] ?? throw new UsageException($"{body["kind"]}: metadata.name is missing");
            await api.PatchAsync(resource, NamespaceOf(body), name, PatchKind.Apply, body.DeepClone(), Applier, ct, force: true);
        }
    }

    public static string NamespaceOf(JsonObject body) => (string?)body["metadata"]?["namespace"] ?? "default";

    /// <summary>The resource of an object: from the definitions, else by the regular plural of its kind.</summary>
    public static ResourceId ResourceOf(JsonObject body, Manifest definitions)
    {
        var parts = ((string)body["apiVersion"]!).Split('/');
        var (group, version) = parts.Length == 2 ? (parts[0], parts[1]) : ("", parts[0]);
        var kind = (string)body["kind"]!;
        var defined = definitions._objects.FirstOrDefault(d => (string?)d["spec"]?["names"]?["kind"] == kind && (string?)d["spec"]?["group"] == group);
        return new(group, version, (string?)defined?["spec"]?["names"]?["plural"] ?? Plural(kind.ToLowerInvariant()));
    }

    private static string Plural(string kind) =>
        kind.EndsWith('s') ? kind + "es" : kind.EndsWith('y') ? kind[..^1] + "ies" : kind + "s";

    private void Add(string file, string text)
    {
        foreach (var document in text.ReplaceLineEndings("\n").Split("\n---\n"))
        {
            try
            {
                if (YamlTree.Parse(document) is not { } node) continue;
                if (node is not JsonObject body || body["apiVersion"] is null || body["kind"] is null) throw new UsageException($"{file}: every document must be an object with apiVersion and kind");
                _objects.Add(body);
            }
            catch (FormatException e)
            {
                throw new UsageException($"{file}: {e.Message}");
            }
        }
    }
}
