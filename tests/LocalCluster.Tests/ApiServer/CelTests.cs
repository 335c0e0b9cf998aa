using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Schema.Cel;
using Opt.LocalCluster.ApiServer.Schema.Cel.Typing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class CelTests
{
    [Theory]
    [InlineData("self.n == 3")]
    [InlineData("self.n + 1 == 4 && self.n * 2 - 1 == 5 && self.n / 2 == 1 && self.n % 2 == 1 && -self.n == -3")]
    [InlineData("self.r > 1 && self.r == 1.5 && double(self.n) == 3.0 && 1 < 1.5")]
    [InlineData("self.s.startsWith('ab') && self.s.endsWith('cd') && self.s.contains('bc') && self.s.size() == 4 && size(self.s) == 4")]
    [InlineData("self.s.matches('^[a-d]+$') && !self.s.matches('^b')")]
    [InlineData("has(self.s) && !has(self.none) && has(self.o.x)")]
    [InlineData("has(self.none) == has(self.other)")]
    [InlineData("self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x == 3) && self.l.map(x, x * 2) == [2, 4, 6] && self.l.filter(x, x > 1).size() == 2")]
    [InlineData("self.l.map(x, x > 1, x * 10) == [20, 30]")]
    [InlineData("2 in self.l && !(9 in self.l) && 'x' in self.o && !('y' in self.o)")]
    [InlineData("self.l[0] == 1 && self.o['x'] == 'y'")]
    [InlineData("(self.n > 2 ? 'big' : 'small') == 'big'")]
    [InlineData("[1, 2] + [3] == self.l && {'a': 1}.a == 1")]
    [InlineData("'a' + 'b' == 'ab' && \"q\\\"\" == 'q\"' && r'\\d' == '\\\\d'")]
    [InlineData("string(self.n) == '3' && int('7') == 7 && type(self.n) == int")]
    [InlineData("self.s.split('b') == ['a', 'cd'] && self.s.upperAscii() == 'ABCD' && self.s.substring(1, 3) == 'bc' && ['a', 'b'].join('-') == 'a-b'")]
    [InlineData("quantity('1Ki').isGreaterThan(quantity('1k')) && isQuantity('5m') && !isQuantity('five')")]
    [InlineData("self.?none.orValue(5) == 5 && self.?n.orValue(5) == 3 && optional.of(1).hasValue()")]
    [InlineData("duration('1m') > duration('59s') && timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')")]
    [InlineData("false || self.l.exists(x, x / 0 == 1) || true")]
    [InlineData("!(false && 1 / 0 == 1)")]
    [InlineData("self.x__dash__y == 1 && self.__namespace__ == 'n'")]
    [InlineData("'%d of %s'.format([1, 'x']) == '1 of x'")]
    [InlineData("0x10 == 16 && 5u == 5 && 1e3 == 1000.0")]
    [InlineData("math.greatest(1, 3, 2) == 3 && sets.contains([1, 2], [2]) && [3, 1].min() == 1 && [1, 2].isSorted()")]
    [InlineData("// a comment\n true")]
    public void An_expression_holds(string expression) => Assert.Equal(true, Evaluate(expression));

    [Theory]
    [InlineData("self.none == 1", "no such key: none")]
    [InlineData("1 / 0 == 1", "division by zero")]
    [InlineData("self.l[7] == 1", "index out of bounds: 7")]
    [InlineData("'a' < 1", "no such overload")]
    [InlineData("9223372036854775807 + 1 > 0", "integer overflow")]
    [InlineData("unknown == 1", "no such attribute(s): unknown")]
    [InlineData("[1].map(x, [1,2,3,4,5,6,7,8,9,10].map(y, [1,2,3,4,5,6,7,8,9,10].map(z, [1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, a + b + c + d))))))) == []", "operation cancelled: actual cost limit exceeded")]
    public void An_expression_fails_with_the_real_servers_words(string expression, string message) => Assert.Equal(message, Assert.Throws<CelException>(() => Evaluate(expression)).Message);

    [Theory]
    [InlineData("self.")]
    [InlineData("(self")]
    [InlineData("self ==")]
    [InlineData("has(self)")]
    [InlineData("'open")]
    [InlineData("self.n in")]
    [InlineData("1 2")]
    public void What_is_not_an_expression_is_refused_with_its_place(string text) => Assert.StartsWith("ERROR: <input>:1:", Assert.Throws<CelSyntaxException>(() => CelProgram.Compile(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("self.n == 'a'", "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, string)'\n | self.n == 'a'\n | .......^")]
    [InlineData("self.none == 1", "ERROR: <input>:1:5: undefined field 'none'\n | self.none == 1\n | ....^")]
    [InlineData("has(self.s) && slef.n > 1", "ERROR: <input>:1:16: undeclared reference to 'slef' (in container '')\n | has(self.s) && slef.n > 1\n | ...............^")]
    [InlineData("self.s.startsWith(3)", "ERROR: <input>:1:18: found no matching overload for 'startsWith' applied to 'string.(int)'\n | self.s.startsWith(3)\n | .................^")]
    [InlineData("self.n.all(x, x > 1)", "ERROR: <input>:1:11: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | self.n.all(x, x > 1)\n | ..........^")]
    [InlineData("nosuch(self.n)", "ERROR: <input>:1:7: undeclared reference to 'nosuch' (in container '')\n | nosuch(self.n)\n | ......^")]
    [InlineData("self.l[0] == 'x'", "ERROR: <input>:1:11: found no matching overload for '_==_' applied to '(int, string)'\n | self.l[0] == 'x'\n | ..........^")]
    [InlineData("self.n.x", "ERROR: <input>:1:7: type 'int' does not support field selection\n | self.n.x\n | ......^")]
    public void A_rule_that_cannot_work_is_refused_before_it_runs(string rule, string error) => Assert.Equal([error], Check(rule).Errors);

    [Theory]
    [InlineData("self.l.all(x, x > 0) && self.l.map(x, string(x)).join(',') != '' && size(self.l) < 1.5")]
    [InlineData("self == oldSelf && self.o == oldSelf.o && has(self.o.x)")]
    [InlineData("self.any == 'x' || self.any == 3")]
    [InlineData("self.m.all(k, self.m[k] > 1) && 'k' in self.m && self.m.k > 1")]
    [InlineData("self.?s.orValue('none') == 'x' && optional.of(1).hasValue()")]
    [InlineData("self.d > duration('1s') && self.metadata.name.size() < 50 && quantity('1').isLessThan(quantity('2'))")]
    [InlineData("[1, 2].exists(x, x in self.l) ? self.n == 1 : self.r == 1.5")]
    [InlineData("self.x__dash__y == 1 && sets.contains([1], self.l) && math.greatest(1, 2) == 2")]
    public void A_rule_that_fits_its_schema_is_accepted(string rule)
    {
        var (errors, type) = Check(rule);
        Assert.Empty(errors);
        Assert.Equal("bool", type.ToString());
    }

    private static (IReadOnlyList<string> Errors, CelStaticType Type) Check(string rule)
    {
        var schema = StructuralSchema.Read((JsonObject)JsonNode.Parse("""
            {"type":"object","properties":{"n":{"type":"integer"},"r":{"type":"number"},"s":{"type":"string"},"d":{"type":"string","format":"duration"},"x-y":{"type":"integer"},
             "l":{"type":"array","items":{"type":"integer"}},"o":{"type":"object","properties":{"x":{"type":"string"}}},"m":{"type":"object","additionalProperties":{"type":"integer"}},
             "any":{"x-kubernetes-int-or-string":true}}}
            """)!);
        var self = CelStaticType.Of(schema, isRoot: true)!;
        var checker = new CelChecker(rule, new Dictionary<string, CelStaticType> { ["self"] = self, ["oldSelf"] = self });
        var type = checker.Check(CelProgram.Compile(rule).Expression);
        return (checker.Errors, type);
    }

    [Fact]
    public void Free_variables_leave_out_what_macros_bind() =>
        Assert.Equal(["oldSelf", "self"], CelProgram.Compile("self.l.all(x, x in oldSelf.l)").Variables.Order(StringComparer.Ordinal));

    private static object? Evaluate(string expression)
    {
        var self = JsonNode.Parse("""{"n":3,"r":1.5,"s":"abcd","l":[1,2,3],"o":{"x":"y"},"x-y":1,"namespace":"n"}""");
        return CelProgram.Compile(expression).Evaluate(new Dictionary<string, object?> { ["self"] = CelValues.From(self, null) });
    }
}
