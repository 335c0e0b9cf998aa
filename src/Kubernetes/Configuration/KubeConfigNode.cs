using System.Text;
using YamlDotNet.RepresentationModel;

namespace Opt.Kubernetes;

/// <summary>A mapping inside a kubeconfig, with its place for messages. Relative files are relative to the kubeconfig.</summary>
internal sealed class KubeConfigNode(string path, string place, YamlMappingNode node)
{
    public string Where(string field) => $"{path}: {place}{field}";

    public KubeConfigException Missing(string field) => new($"{Where(field)} is missing.");

    /// <summary>The text of a scalar, or null if the field is absent or null.</summary>
    public string? Text(string field) => Node(field) switch
    {
        null => null,
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain, Value: "" or "~" or "null" } => null,
        YamlScalarNode scalar => scalar.Value,
        _ => throw new KubeConfigException($"{Where(field)} must be a single value."),
    };

    public string Required(string field) => Text(field) is { Length: > 0 } text ? text : throw Missing(field);

    public bool Flag(string field) => Text(field) switch
    {
        null or "false" or "False" or "FALSE" => false,
        "true" or "True" or "TRUE" => true,
        var other => throw new KubeConfigException($"{Where(field)} is \"{other}\"; allowed: true and false."),
    };

    public string? File(string field) => Text(field) is { Length: > 0 } file ? Path.Combine(Path.GetDirectoryName(path) ?? "", file) : null;

    public Uri? Address(string field, params ReadOnlySpan<string> schemes)
    {
        if (Text(field) is not { Length: > 0 } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && schemes.Contains(uri.Scheme) && uri.Host.Length > 0) return uri;
        throw new KubeConfigException($"{Where(field)} is \"{text}\"; allowed: a URL with one of the schemes {string.Join(", ", schemes.ToArray())}.");
    }

    /// <summary>PEM text given inline as base64 (<c>field-data</c>, which wins) or in a file (<c>field</c>).</summary>
    public string? Blob(string field)
    {
        if (Text(field + "-data") is { Length: > 0 } data) return Decode(field + "-data", data);
        if (File(field) is not { } file) return null;
        try
        {
            return System.IO.File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubeConfigException($"{Where(field)} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The file that <see cref="Blob"/> reads, or null if it reads none.</summary>
    public string? BlobFile(string field) => Text(field + "-data") is { Length: > 0 } ? null : File(field);

    public KubeConfigNode? Child(string field) => Node(field) switch
    {
        YamlMappingNode map => new(path, $"{place}{field}.", map),
        null or YamlScalarNode { Value: null or "" or "~" or "null" } => null,
        _ => throw new KubeConfigException($"{Where(field)} must be a mapping."),
    };

    public IReadOnlyList<KubeConfigNode> Children(string field) =>
        [.. Items(field).Select((item, i) => item is YamlMappingNode map ? new KubeConfigNode(path, $"{place}{field}[{i}].", map) : throw new KubeConfigException($"{Where(field)}[{i}] must be a mapping."))];

    public IReadOnlyList<string> Texts(string field) =>
        [.. Items(field).Select((item, i) => item is YamlScalarNode { Value: { } text } ? text : throw new KubeConfigException($"{Where(field)}[{i}] must be a single value."))];

    private IEnumerable<YamlNode> Items(string field) => Node(field) switch
    {
        YamlSequenceNode list => list.Children,
        null or YamlScalarNode { Value: null or "" or "~" or "null" } => [],
        _ => throw new KubeConfigException($"{Where(field)} must be a list."),
    };

    private YamlNode? Node(string field) => node.Children.TryGetValue(new YamlScalarNode(field), out var found) ? found : null;

    private string Decode(string field, string data)
    {
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(data));
        }
        catch (FormatException e)
        {
            throw new KubeConfigException($"{Where(field)} is not base64.", e);
        }
    }
}
