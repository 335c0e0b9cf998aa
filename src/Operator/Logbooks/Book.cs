using System.Collections.Immutable;
using System.Text;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;

namespace Opt.Operator.Logbooks;

/// <summary>
/// What is known of a job's pages, and how entries are packed into them: onto the last page while it has room, then onto new ones. Of pages beyond those that are
/// kept, the ones go whose newest entry is the oldest; the checkpoint store keeps all. Immutable.
/// </summary>
/// <param name="Pages">By number.</param>
/// <param name="Last">Lines of the page with the highest number.</param>
/// <param name="Told">Entries on the pages by identity, with whether their outcome is there.</param>
internal sealed record Book(ImmutableArray<BookPage> Pages, string Last, ImmutableDictionary<string, bool> Told)
{
    /// <summary>A page is small enough to be written whole for one more entry, and all pages are a few megabytes: some 5,000 entries.</summary>
    public const int MostCharacters = 64 * 1024, MostPages = 40;

    public static readonly Book Empty = new([], "", ImmutableDictionary.Create<string, bool>(StringComparer.Ordinal));

    /// <summary>The pages as they are in the cluster; other ConfigMaps are left out.</summary>
    public static Book Read(IEnumerable<V1ConfigMap> maps)
    {
        var pages = maps.Select(m => (Page: BookPage.Of(m), Text: BookPage.Text(m))).Where(p => p.Page is not null).OrderBy(p => p.Page!.Number).ToArray();
        var told = Empty.Told.ToBuilder();
        foreach (var entry in pages.SelectMany(p => LogbookPages.Read(p.Text))) Tell(told, entry);
        return new([.. pages.Select(p => p.Page!)], pages is [.., var last] ? last.Text : "", told.ToImmutable());
    }

    /// <summary>Those that are not on the pages yet, or not with their outcome; each once. Not those that were on pages which had to go.</summary>
    public IReadOnlyList<LogbookEntry> Lacking(IEnumerable<LogbookEntry> entries)
    {
        var told = Told.ToBuilder();
        var lacking = new List<LogbookEntry>();
        var gone = Pages.Length < MostPages ? DateTimeOffset.MinValue : Pages.Min(p => p.Newest);
        foreach (var entry in entries.Where(e => e.Time > gone))
        {
            if (told.TryGetValue(entry.Identity(), out var known) && (known || entry.Outcome is null)) continue;
            Tell(told, entry);
            lacking.Add(entry);
        }

        return lacking;
    }

    /// <summary>The next write that brings entries onto a page, and which entries are left then.</summary>
    /// <param name="lacking">Not empty.</param>
    /// <param name="floor">The least number of a new page.</param>
    public (PageWrite Write, IReadOnlyList<LogbookEntry> Left) Next(IReadOnlyList<LogbookEntry> lacking, int floor = 0)
    {
        var lines = lacking.Select(LogbookPages.Line).ToArray();
        var former = Pages is [.., var last] && Last.Length + lines[0].Length <= MostCharacters ? last : null;
        var text = new StringBuilder(former is null ? "" : Last.Length == 0 || Last.EndsWith('\n') ? Last : Last + "\n");
        var taken = 0;
        while (taken < lines.Length && (taken == 0 || text.Length + lines[taken].Length <= MostCharacters)) text.Append(lines[taken++]);
        return (new(former, former?.Number ?? Math.Max(floor, Pages is [.., var end] ? end.Number + 1 : 1), text.ToString(), [.. lacking.Take(taken)]), [.. lacking.Skip(taken)]);
    }

    /// <summary>The pages after a write.</summary>
    public Book With(PageWrite write, V1ConfigMap written)
    {
        var told = Told.ToBuilder();
        foreach (var entry in write.Added) Tell(told, entry);
        var page = new BookPage(write.Number, written.Metadata.Name!, written.Metadata.Uid!, written.Metadata.ResourceVersion!, write.Added.Select(e => e.Time).Append(write.Former?.Newest ?? DateTimeOffset.MinValue).Max());
        return new([.. Pages.Where(p => p.Number != write.Number), page], write.Text, told.ToImmutable());
    }

    /// <summary>The pages beyond those that are kept; never the last, which is written to.</summary>
    public IEnumerable<BookPage> Excess => Pages.Length <= MostPages ? [] : Pages[..^1].OrderBy(p => (p.Newest, p.Number)).Take(Pages.Length - MostPages);

    /// <summary>Without a page that was deleted. What was on it stays known, or it would be written again.</summary>
    public Book Without(BookPage page) => this with { Pages = [.. Pages.Where(p => p != page)] };

    private static void Tell(ImmutableDictionary<string, bool>.Builder told, LogbookEntry entry)
    {
        var identity = entry.Identity();
        told[identity] = entry.Outcome is not null || (told.TryGetValue(identity, out var known) && known);
    }
}

/// <summary>A page as it is to be: a new one, or a former one with more lines.</summary>
/// <param name="Former">Null for a new page.</param>
/// <param name="Text">All lines of the page.</param>
/// <param name="Added">Entries that come onto it.</param>
internal sealed record PageWrite(BookPage? Former, int Number, string Text, IReadOnlyList<LogbookEntry> Added);
