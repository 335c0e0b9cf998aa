using System.Globalization;
using Opt.Api.Protocol;
using Opt.Kubernetes;

namespace Opt.Operator.Logbooks;

/// <summary>One page of a job's logbook, as a ConfigMap holds it.</summary>
/// <param name="Number">Counted from 1, in the order in which pages were begun.</param>
/// <param name="Version">Resource version of the ConfigMap: a write names it, so that no page is written from an old copy.</param>
/// <param name="Newest">Time of the newest entry on it.</param>
internal sealed record BookPage(int Number, string Name, string Uid, string Version, DateTimeOffset Newest)
{
    /// <summary>Null for a ConfigMap that is no page, or that is going.</summary>
    public static BookPage? Of(V1ConfigMap map)
    {
        if (map.Metadata.DeletionTimestamp is not null || !int.TryParse(map.Metadata.Labels?.GetValueOrDefault(LogbookPages.Label), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return null;
        var entries = LogbookPages.Read(Text(map));
        return new(number, map.Metadata.Name!, map.Metadata.Uid!, map.Metadata.ResourceVersion!, entries.Select(e => e.Time).DefaultIfEmpty(DateTimeOffset.MinValue).Max());
    }

    public static string Text(V1ConfigMap map) => map.Data?.GetValueOrDefault(LogbookPages.Key) ?? "";
}
