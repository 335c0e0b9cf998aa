using System.Reflection;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>The resources every server has, read from <c>builtin.kinds</c>.</summary>
public static class BuiltinKinds
{
    private static readonly string[] NotStored = ["bindings", "componentstatuses"];

    public static IReadOnlyList<ResourceKind> Create()
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("builtin.kinds")!);
        var kinds = new List<ResourceKind>();
        var (group, version) = ("", "");
        while (reader.ReadLine() is { } line)
        {
            if (line[0] == '#') continue;
            if (line[0] == '[') (group, version) = GroupVersion(line.Trim('[', ']'));
            else if (line[0] == ' ') kinds[^1] = kinds[^1] with { Subresources = [.. kinds[^1].Subresources, Sub(line.Split(' ', StringSplitOptions.RemoveEmptyEntries))] };
            else kinds.Add(Kind(group, version, line.Split(' ')));
        }

        return kinds;
    }

    private static ResourceKind Kind(string group, string version, string[] words)
    {
        var kind = words[2];
        var type = TypeOf(group, kind);
        var rules = RulesTable.For(group, kind);
        return new ResourceKind
        {
            Group = group,
            Version = version,
            Plural = words[0],
            Singular = words[1],
            Kind = kind,
            ListKind = kind + "List",
            Namespaced = words[3] == "namespaced",
            ShortNames = Option(words, "short"),
            Categories = Option(words, "categories"),
            Verbs = Option(words, "verbs") is { Length: > 0 } verbs ? verbs : ResourceKind.AllVerbs,
            Type = type,
            Rules = rules,
            Codec = new TypedCodec(type, rules),
            StorageKey = group == "events.k8s.io" ? "/events" : $"{group}/{words[0]}",
            Conversion = group == "events.k8s.io" ? new EventConversion() : null,
            StorageVersionHash = Option(words, "verbs") is ["create"] || NotStored.Contains(words[0]) ? null : Hash(group == "events.k8s.io" ? "" : group, group == "apiextensions.k8s.io" ? "v1beta1" : version, kind),
        };
    }

    private static StructSchema TypeOf(string group, string kind) => kind switch
    {
        "ComponentStatus" => TypeCatalog.Struct("core.Binding"),
        _ => TypeCatalog.Struct($"{(group.Length == 0 ? "core" : group.Split('.')[0])}.{kind}"),
    };

    /// <summary>What discovery calls the storage version hash: eight bytes of SHA-256 over group, version and kind.</summary>
    public static string Hash(string group, string version, string kind) =>
        Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{group}/{version}/{kind}")).AsSpan(0, 8));

    private static Subresource Sub(string[] words) =>
        words.Length == 3 ? new(words[0], words[1], words[2].Split(','))
        : new(words[0], words[1], words[2].Split(','), words[3].Split('/')[0], words[3].Split('/')[1]);

    private static (string Group, string Version) GroupVersion(string text) =>
        text.Split('/') is [var group, var version] ? (group, version) : ("", text);

    private static string[] Option(string[] words, string name) =>
        words.FirstOrDefault(w => w.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..].Split(',') ?? [];
}
