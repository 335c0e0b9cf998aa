namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>The form an answer takes.</summary>
public enum Form { Plain, Table, Metadata, MetadataList, Discovery }

/// <summary>The form and encoding that a client accepts, chosen among what the server has.</summary>
/// <param name="Yaml">YAML instead of JSON.</param>
/// <param name="Pretty">Indented, for people.</param>
public sealed record Negotiated(Form Form, bool Yaml, bool Pretty)
{
    public const string Supported = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

    /// <exception cref="ApiException">406: nothing in the Accept header can be served.</exception>
    public static Negotiated For(string? accept, string? userAgent, string? pretty)
    {
        var people = userAgent is not null && (userAgent.StartsWith("curl", StringComparison.Ordinal) || userAgent.StartsWith("Wget", StringComparison.Ordinal) || userAgent.StartsWith("Mozilla/5.0", StringComparison.Ordinal));
        var isPretty = pretty is null ? people : pretty is "true" or "1";
        var wanted = MediaType.ParseAll(accept);
        if (wanted.Count == 0) return new Negotiated(Form.Plain, false, isPretty);
        foreach (var type in wanted)
        {
            if (type.Name is not ("application/json" or "application/yaml" or "application/*" or "*/*")) continue;
            if (FormOf(type) is { } form) return new Negotiated(form, type.Name == "application/yaml", isPretty);
        }

        throw ApiErrors.NotAcceptable(Supported);
    }

    private static Form? FormOf(MediaType type) => (type.Parameter("as"), type.Parameter("g"), type.Parameter("v")) switch
    {
        (null, _, _) => Form.Plain,
        ("Table", "meta.k8s.io", "v1") => Form.Table,
        ("PartialObjectMetadata", "meta.k8s.io", "v1") => Form.Metadata,
        ("PartialObjectMetadataList", "meta.k8s.io", "v1") => Form.MetadataList,
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Form.Discovery,
        _ => null,
    };
}
