using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Opt.Api.Schema;

/// <summary>Summaries of the compiler's documentation file, as one line of plain text each. Used when the CRD is written, never while the operator runs.</summary>
public sealed partial class XmlDocumentation(XDocument document)
{
    private readonly Dictionary<string, string> _summaries = document.Descendants("member")
        .Where(m => m.Element("summary") is not null)
        .ToDictionary(m => m.Attribute("name")!.Value, m => Flatten(m.Element("summary")!), StringComparer.Ordinal);

    /// <summary>The summary of a documentation id such as <c>P:Opt.Api.V1Alpha1.TopologySpec.Nodes</c>, or null.</summary>
    public string? Summary(string id) => _summaries.GetValueOrDefault(id);

    private static string Flatten(XElement summary)
    {
        var text = string.Concat(summary.Nodes().Select(node => node switch
        {
            XText t => t.Value,
            XElement { Name.LocalName: "see" } see => Camel(see.Attribute("cref")?.Value.Split('.')[^1] ?? ""),
            XElement e => e.Value,
            _ => "",
        }));
        return Space().Replace(text, " ").Trim();
    }

    private static string Camel(string name) => name.Length == 0 ? name : char.ToLowerInvariant(name[0]) + name[1..];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
