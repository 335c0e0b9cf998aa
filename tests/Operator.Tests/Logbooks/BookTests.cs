using FsCheck;
using FsCheck.Fluent;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Logbooks;
using Xunit;

namespace Opt.Operator.Tests.Logbooks;

/// <summary>How the logbook is packed into pages, against a cluster of two dictionaries.</summary>
public sealed class BookTests
{
    private static readonly DateTimeOffset Begin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Whatever_is_written_in_whatever_portions_is_there_once_however_often_operatorBegin_anew() =>
        Prop.ForAll(Gen.Choose(0, 400).Select(n => (n % 40, n % 7)).ListOf().Select(l => l.ToArray()).ToArbitrary(), (passes) =>
        {
            var cluster = new Pages();
            var told = new List<LogbookEntry>();
            foreach (var (fresh, kind) in passes)
            {
                if (kind == 0) cluster.Restart();
                for (var i = 0; i < fresh; i++) told.Add(Entry(told.Count, length: kind * 300));
                if (kind == 1 && told.Count > 0) told[^1] = told[^1] with { Outcome = "trained on" };
                cluster.Keep(told.TakeLast(fresh + 20));   // as a status would: some are told again
            }

            Assert.Equal(told.OrderBy(e => e.Time), cluster.Entries());
            Assert.All(cluster.Texts, text => Assert.InRange(text.Length, 1, Book.MostCharacters));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_oldest_pages_go_when_there_are_too_many_and_come_back_by_no_retelling()
    {
        var cluster = new Pages();
        var told = Enumerable.Range(0, 2000).Select(i => Entry(i, length: 1900)).ToArray();
        foreach (var portion in told.Chunk(50)) cluster.Keep(portion);

        Assert.Equal(Book.MostPages, cluster.Texts.Count);
        var kept = cluster.Entries();
        Assert.Equal(told.TakeLast(kept.Count), kept);
        Assert.InRange(kept.Count, 1000, 1500);
        cluster.Restart();
        cluster.Keep(told);   // the store tells all of them
        Assert.Equal(kept, cluster.Entries());
    }

    [Fact]
    public void Entries_that_come_late_from_before_go_first()
    {
        var cluster = new Pages();
        cluster.Keep([Entry(9000, 10)]);
        foreach (var portion in Enumerable.Range(0, 1500).Select(i => Entry(i, length: 1900)).Chunk(50)) cluster.Keep(portion);
        Assert.Equal(Begin.AddSeconds(9000), cluster.Entries()[^1].Time);
    }

    [Fact]
    public void A_page_ends_without_line_feed_when_a_person_edited_it_and_the_next_line_is_one_of_its_own()
    {
        var cluster = new Pages();
        cluster.Keep([Entry(1, 5)]);
        cluster.Edit(text => text.TrimEnd('\n'));
        cluster.Restart();
        cluster.Keep([Entry(2, 5)]);
        Assert.Equal(2, cluster.Entries().Count);
    }

    [Fact]
    public void A_number_that_is_taken_is_passed_over() => Assert.Equal(4, Book.Empty.Next([Entry(1, 5)], floor: 4).Write.Number);

    private static LogbookEntry Entry(int second, int length) =>
        new() { Time = Begin.AddSeconds(second), Epoch = 1, Step = second, Actor = "operator", What = $"did {second} \u00e4\u4e2d\n\"quoted\"", Why = new('x', length) };

    /// <summary>ConfigMaps, and one operator that keeps them.</summary>
    private sealed class Pages
    {
        private readonly SortedDictionary<int, V1ConfigMap> _maps = [];
        private Book _book = Book.Empty;
        private int _version;

        public IReadOnlyList<string> Texts => [.. _maps.Values.Select(BookPage.Text)];

        public IReadOnlyList<LogbookEntry> Entries() => [.. Texts.SelectMany(LogbookPages.Read).GroupBy(e => e.Identity()).Select(g => g.Last()).OrderBy(e => e.Time)];

        public void Restart() => _book = Book.Read(_maps.Values.Reverse());

        public void Edit(Func<string, string> edit)
        {
            foreach (var (number, map) in _maps.ToArray()) _maps[number] = Map(number, edit(BookPage.Text(map)));
        }

        public void Keep(IEnumerable<LogbookEntry> entries)
        {
            var lacking = _book.Lacking(entries);
            while (lacking.Count > 0)
            {
                (var write, lacking) = _book.Next(lacking);
                if (write.Former is { } former) Assert.StartsWith(BookPage.Text(_maps[former.Number]), write.Text, StringComparison.Ordinal);
                else Assert.DoesNotContain(write.Number, _maps.Keys);
                _book = _book.With(write, _maps[write.Number] = Map(write.Number, write.Text));
            }

            foreach (var page in _book.Excess.ToArray())
            {
                _maps.Remove(page.Number);
                _book = _book.Without(page);
            }
        }

        private V1ConfigMap Map(int number, string text) => new()
        {
            Metadata = new() { Name = LogbookPages.Name("opt", number), Uid = $"{number}", ResourceVersion = $"{++_version}", Labels = new Dictionary<string, string> { [LogbookPages.Label] = $"{number}" } },
            Data = new Dictionary<string, string> { [LogbookPages.Key] = text },
        };
    }
}
